package disks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileSystem is one that is mounted.
type fileSystem struct{ device, dir string }

// mounted returns the file systems of block devices but for the root, in the order
// in which they were mounted.
func mounted() ([]fileSystem, error) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readMounts(f), nil
}

// readMounts reads fstab(5)'s form.
func readMounts(r io.Reader) (all []fileSystem) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "/dev/") || fields[1] == "/" {
			continue
		}
		all = append(all, fileSystem{unescape(fields[0]), unescape(fields[1])})
	}
	return all
}

// unescape reads octal escapes, as of spaces.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// Unmount unmounts the file systems of disks but for the root, the latest first, or
// has them read-only where something uses them still: their journals are clean then.
func Unmount() {
	all, err := mounted()
	if err != nil {
		return
	}
	for _, fs := range slices.Backward(all) {
		if unix.Unmount(fs.dir, unix.UMOUNT_NOFOLLOW) != nil {
			unix.Mount("", fs.dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
		}
	}
}

// Settle writes all that is to be on the devices, and holds up whoever writes more:
// their file systems are as if they had been unmounted, also under a program that
// has files open. It is for a machine that ends now.
func Settle(devices []string) error {
	all, err := mounted()
	if err != nil {
		return err
	}
	var errs []error
	frozen := map[string]bool{}
	for _, fs := range all {
		if !slices.Contains(devices, fs.device) || frozen[fs.device] {
			continue
		}
		if err := freeze(fs.dir); err != nil {
			errs = append(errs, fmt.Errorf("freeze %s: %w", fs.dir, err))
			continue
		}
		frozen[fs.device] = true
	}
	return errors.Join(errs...)
}

func freeze(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	const fifreeze = 0xc0045877 // FIFREEZE of linux/fs.h
	return unix.IoctlSetInt(int(f.Fd()), fifreeze, 0)
}
