package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// apparmorSwitch is where programs read whether the kernel has AppArmor on.
const apparmorSwitch = "/sys/module/apparmor/parameters/enabled"

// apparmorParsers load AppArmor's profiles.
var apparmorParsers = []string{"sbin/apparmor_parser", "usr/sbin/apparmor_parser", "usr/bin/apparmor_parser"}

// hideAppArmor tells programs that AppArmor is off, where the image has nothing to load
// a profile with: Docker would try to, and start no container.
func hideAppArmor(root string) error {
	if _, err := os.Stat(apparmorSwitch); errors.Is(err, fs.ErrNotExist) || hasOne(root, apparmorParsers) {
		return nil
	}
	off, err := os.CreateTemp("/dev/shm", "banger-")
	if err != nil {
		return err
	}
	defer off.Close()
	defer os.Remove(off.Name())
	if _, err := off.WriteString("N\n"); err != nil {
		return err
	}
	if err := off.Chmod(0o444); err != nil {
		return err
	}
	if err := unix.Mount(off.Name(), apparmorSwitch, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount over %s: %w", apparmorSwitch, err)
	}
	return nil
}

func hasOne(root string, paths []string) bool {
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(root, path)); err == nil {
			return true
		}
	}
	return false
}
