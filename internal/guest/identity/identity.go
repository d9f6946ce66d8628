// Package identity makes a VM of its image: the hostname, the resolver and the
// machine-id are its own, and fstab names only what it has.
//
// It edits the root's files once, at a VM's first boot; after that they are
// the user's.
package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/agentapi"
)

// Apply edits the files of the image at root, which is "/" but in tests. A
// file that cannot be edited does not keep the others from being so.
func Apply(root string, s agentapi.Settings) []error {
	etc := filepath.Join(root, "etc")
	var errs []error
	for _, err := range []error{
		os.MkdirAll(etc, 0o755),
		replace(filepath.Join(etc, "hostname"), []byte(s.Hostname+"\n"), 0o644),
		edit(filepath.Join(etc, "hosts"), func(old string) string { return hosts(old, s.Hostname, s.Networks) }),
		replace(filepath.Join(etc, "resolv.conf"), []byte(resolver(s)), 0o644),
		setMachineID(root, s.MachineID),
		tameFstab(filepath.Join(etc, "fstab")),
	} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// resolver is a resolv.conf(5). On a network, short names may be of its VMs, which
// some resolvers send with a domain only.
func resolver(s agentapi.Settings) string {
	text, search := "nameserver "+s.DNS+"\n", s.Search
	if len(s.Networks) > 0 {
		search = append([]string{agentapi.Zone}, search...)
	}
	if len(search) > 0 {
		text += "search " + strings.Join(search, " ") + "\n"
	}
	if s.Dots > 0 {
		text += fmt.Sprintf("options ndots:%d\n", s.Dots)
	}
	return text
}

// setMachineID writes the id where a program of the image may look for one:
// systemd and D-Bus.
func setMachineID(root, id string) error {
	path := filepath.Join(root, "etc/machine-id")
	users := []string{path, filepath.Join(root, "usr/lib/systemd"), filepath.Join(root, "lib/systemd"), filepath.Join(root, "usr/bin/dbus-daemon")}
	for _, user := range users {
		if _, err := os.Lstat(user); err == nil {
			if err := replace(path, []byte(id+"\n"), 0o444); err != nil {
				return err
			}
			break
		}
	}
	// D-Bus's is a link to the other one, or a copy that no other VM may have.
	dbus := filepath.Join(root, "var/lib/dbus/machine-id")
	if info, err := os.Lstat(dbus); err == nil && info.Mode().IsRegular() {
		return replace(dbus, []byte(id+"\n"), 0o444)
	}
	return nil
}

func tameFstab(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return edit(path, fstab)
}

// edit puts change of path's content, of nothing where it is absent, in place.
func edit(path string, change func(old string) string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return replace(path, []byte(change(string(old))), 0o644)
}

// replace makes path a regular file, whatever it was, in one step: what was a
// symbolic link may lead to a file that the image's services share or write.
func replace(path string, data []byte, mode fs.FileMode) error {
	temp := path + ".banger"
	if err := os.WriteFile(temp, data, mode); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return err
	}
	return nil
}
