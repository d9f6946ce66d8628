// Package account looks users up in a guest's own files, without the image's C
// library: images may have no user database at all.
package account

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrUnknown says that the guest has no such user.
var ErrUnknown = errors.New("no such user")

// Account is who a command runs as.
type Account struct {
	Name     string
	UID, GID uint32
	Groups   []uint32 // supplementary
	Home     string
	Shell    string
}

// root is the superuser where the image does not describe it.
var root = Account{Name: "root", Home: "/root", Shell: "/bin/sh"}

// Lookup finds a user by name, or else by number, in the passwd and group files of
// directory etc. The superuser always exists, and so does every number: one
// without a line has no name, no groups and / for its home, as in containers.
// USER:GROUP is the user with that group, by name or by number, and no other.
func Lookup(etc, user string) (Account, error) {
	user, group, hasGroup := strings.Cut(user, ":")
	a, err := find(etc, user)
	if err != nil {
		return Account{}, err
	}
	if hasGroup {
		a.GID, err = findGroup(etc, group)
	} else {
		a.Groups, err = groupsOf(etc, a.Name)
	}
	if err != nil {
		return Account{}, err
	}
	return a, nil
}

// findGroup finds a group by name, or else by number.
func findGroup(etc, group string) (gid uint32, err error) {
	found := false
	err = eachLine(filepath.Join(etc, "group"), 4, func(f []string) {
		if n, err := strconv.ParseUint(f[2], 10, 32); err == nil && f[0] == group && !found {
			gid, found = uint32(n), true
		}
	})
	if err != nil || found {
		return gid, err
	}
	n, err := strconv.ParseUint(group, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: no group %s", ErrUnknown, group)
	}
	return uint32(n), nil
}

func find(etc, user string) (Account, error) {
	accounts, err := parsePasswd(filepath.Join(etc, "passwd"))
	if err != nil {
		return Account{}, err
	}
	named := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == user })
	if named >= 0 {
		return accounts[named], nil
	}
	if user == root.Name {
		return root, nil
	}
	uid, err := strconv.ParseUint(user, 10, 32)
	if err != nil {
		return Account{}, fmt.Errorf("%w: %s", ErrUnknown, user)
	}
	numbered := slices.IndexFunc(accounts, func(a Account) bool { return a.UID == uint32(uid) })
	if numbered >= 0 {
		return accounts[numbered], nil
	}
	if uid == 0 {
		return root, nil
	}
	return Account{Name: user, UID: uint32(uid), Home: "/", Shell: root.Shell}, nil
}

// parsePasswd reads a file as passwd(5) describes it. Lines that are not of
// that form are left out.
func parsePasswd(path string) ([]Account, error) {
	var accounts []Account
	err := eachLine(path, 7, func(f []string) {
		uid, uidErr := strconv.ParseUint(f[2], 10, 32)
		gid, gidErr := strconv.ParseUint(f[3], 10, 32)
		if f[0] == "" || uidErr != nil || gidErr != nil {
			return
		}
		a := Account{Name: f[0], UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: f[6]}
		if a.Home == "" {
			a.Home = "/"
		}
		if a.Shell == "" {
			a.Shell = root.Shell
		}
		accounts = append(accounts, a)
	})
	return accounts, err
}

// groupsOf reads from group(5) the groups that list user as a member.
func groupsOf(etc, user string) ([]uint32, error) {
	var groups []uint32
	err := eachLine(filepath.Join(etc, "group"), 4, func(f []string) {
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err == nil && slices.Contains(strings.Split(f[3], ","), user) {
			groups = append(groups, uint32(gid))
		}
	})
	return groups, err
}

// eachLine calls use for each line of path that has n fields. An absent file
// is an empty one.
func eachLine(path string, n int, use func(fields []string)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20) // a group may list many members
	for lines.Scan() {
		if fields := strings.Split(lines.Text(), ":"); len(fields) == n {
			use(fields)
		}
	}
	return lines.Err()
}
