// Package account looks users up in a guest's own files, without the image's C
// library: images may have no user database at all.
package account

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

// Lookup finds a user in the passwd and group files of directory etc, as
// containers' engines do: what is a number is one, and else a name. The superuser
// always exists, and so does every number: one without a line has no name, the
// superuser's group, no others and / for its home. USER:GROUP is the user with that
// group, and no other; without USER, the superuser with it.
func Lookup(etc, user string) (Account, error) {
	user, group, hasGroup := strings.Cut(user, ":")
	if user == "" && group != "" {
		user = "0"
	}
	a, listed, err := find(etc, user)
	if err != nil {
		return Account{}, err
	}
	if hasGroup && group != "" {
		a.GID, err = findGroup(etc, group)
	} else if listed {
		a.Groups, err = groupsOf(etc, a.Name)
	}
	if err != nil {
		return Account{}, err
	}
	// As initgroups(3) has it: files may keep a group's members out.
	if !slices.Contains(a.Groups, a.GID) {
		a.Groups = slices.Insert(a.Groups, 0, a.GID)
	}
	return a, nil
}

// number reads an identity, of which the highest means none.
func number(text string) (id uint32, ok bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n < math.MaxUint32
}

// findGroup finds a group by number, or else by name.
func findGroup(etc, group string) (gid uint32, err error) {
	if gid, ok := number(group); ok {
		return gid, nil
	}
	found := false
	err = eachLine(filepath.Join(etc, "group"), 3, func(f []string) {
		if n, ok := number(f[2]); ok && f[0] == group && !found {
			gid, found = n, true
		}
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: no group %s", ErrUnknown, group)
	}
	return gid, err
}

// find finds a user, and reports whether there is a line for it.
func find(etc, user string) (a Account, listed bool, err error) {
	accounts, err := parsePasswd(filepath.Join(etc, "passwd"))
	if err != nil {
		return Account{}, false, err
	}
	uid, numeric := number(user)
	at := slices.IndexFunc(accounts, func(a Account) bool {
		if numeric {
			return a.UID == uid
		}
		return a.Name == user
	})
	switch {
	case at >= 0:
		return accounts[at], true, nil
	case user == root.Name || numeric && uid == 0:
		return root, true, nil
	case numeric:
		return Account{Name: user, UID: uid, Home: "/", Shell: root.Shell}, false, nil
	}
	return Account{}, false, fmt.Errorf("%w: %s", ErrUnknown, user)
}

// parsePasswd reads a file as passwd(5) describes it. Lines that are not of
// that form are left out.
func parsePasswd(path string) ([]Account, error) {
	var accounts []Account
	err := eachLine(path, 4, func(f []string) {
		uid, isUser := number(f[2])
		gid, isGroup := number(f[3])
		if f[0] == "" || !isUser || !isGroup {
			return
		}
		f = append(f, "", "", "") // images' own may end early
		a := Account{Name: f[0], UID: uid, GID: gid, Home: f[5], Shell: f[6]}
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
		gid, ok := number(f[2])
		if ok && slices.Contains(strings.Split(f[3], ","), user) && !slices.Contains(groups, gid) && len(groups) < maxGroups {
			groups = append(groups, gid)
		}
	})
	return groups, err
}

// maxGroups is how many a process may have, less its own.
const maxGroups = 65535

// maxLine is how long a line may be: a group may list many members.
const maxLine = 1 << 20

// eachLine calls use for each line of path that has at least n fields. An absent
// file is an empty one, and a line that is too long none.
func eachLine(path string, n int, use func(fields []string)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for lines := bufio.NewReaderSize(f, maxLine); ; {
		line, err := lines.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			line = nil
			_, err = lines.ReadSlice('\n')
		}
		text := strings.TrimSpace(string(line))
		if fields := strings.Split(text, ":"); len(fields) >= n && text[0] != '#' {
			use(fields)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
