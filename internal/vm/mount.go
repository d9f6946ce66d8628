package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// MaxMounts is how many directories of the host a VM may have: each has a process of
// its own.
const MaxMounts = 16

// Mount is a directory of the host that a guest has, live.
type Mount struct {
	Source   string `json:"source"` // on the host, absolute
	Target   string `json:"target"` // in the guest, absolute
	ReadOnly bool   `json:"read_only,omitempty"`
	User     string `json:"user,omitempty"` // of the guest, whose the host's user's files are; "" is root
}

// ParseMount reads SRC[:DST][:ro]. Without DST the directory is where it is on the
// host.
func ParseMount(text string) (Mount, error) {
	var m Mount
	parts := strings.Split(text, ":")
	if last := parts[len(parts)-1]; len(parts) > 1 && (last == "ro" || last == "rw") {
		m.ReadOnly = last == "ro"
		parts = parts[:len(parts)-1]
	}
	if len(parts) > 2 || parts[0] == "" {
		return m, fmt.Errorf("%q is no mount: write SRC[:DST][:ro]", text)
	}
	var err error
	if m.Source, err = filepath.Abs(parts[0]); err != nil {
		return m, err
	}
	m.Target = m.Source
	if len(parts) == 2 {
		m.Target = parts[1]
	}
	m.Target = trimSlash(m.Target)
	return m, m.check()
}

// trimSlash takes the slash off that a shell completes a directory's name by.
func trimSlash(path string) string {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}

// String is what ParseMount reads.
func (m Mount) String() string {
	text := m.Source + ":" + m.Target
	if m.ReadOnly {
		text += ":ro"
	}
	return text
}

// kernels are the guest's directories that are its kernel's and its init's own.
var kernels = []string{"/proc", "/sys", "/dev"}

func (m Mount) check() error {
	switch {
	case !filepath.IsAbs(m.Source):
		return fmt.Errorf("mount %s: the host's directory has to be absolute", m)
	case !filepath.IsAbs(m.Target) || filepath.Clean(m.Target) != m.Target:
		return fmt.Errorf("mount %s: the place in the guest has to be an absolute path, without dots", m)
	case m.Target == "/" || slices.ContainsFunc(kernels, func(dir string) bool { return below(m.Target, dir) }):
		return fmt.Errorf("mount %s: %s is the guest's own", m, m.Target)
	case !utf8.ValidString(m.Source) || !utf8.ValidString(m.Target): // vm.json could not hold it
		return fmt.Errorf("mount %q: its paths have to be UTF-8", m.String())
	case strings.ContainsFunc(m.Source+m.Target+m.User, unicode.IsControl) || len(m.Target) > 1024:
		return fmt.Errorf("mount %q: that is no path to mount", m.String())
	}
	return nil
}

// below reports whether path is dir, or in it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// checkMounts checks all of a VM's.
func checkMounts(all []Mount) error {
	if len(all) > MaxMounts {
		return fmt.Errorf("%d mounts: a vm has %d at the most", len(all), MaxMounts)
	}
	targets := map[string]bool{}
	for _, m := range all {
		if err := m.check(); err != nil {
			return err
		}
		if targets[m.Target] {
			return fmt.Errorf("mount %s: another directory is mounted there", m)
		}
		targets[m.Target] = true
	}
	return nil
}

// Resolved is the mount with the directory that its source leads to now. One that the
// guest of another mount has made a link since is not opened by Open.
func (m Mount) Resolved() (Mount, error) {
	source, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return m, fmt.Errorf("mount on %s: %w", m.Target, err)
	}
	m.Source = source
	return m, CheckSource(m)
}

// LinkedError says that a link leads to a mount's source now, which may lead anywhere.
type LinkedError struct{ Mount Mount }

func (e *LinkedError) Error() string {
	return fmt.Sprintf("mount on %s: open %s: there is a link now, which may lead anywhere", e.Mount.Target, e.Mount.Source)
}

// Open opens the source as a place, as it was agreed to: no link leads to it.
func (m Mount) Open() (*os.File, error) {
	for {
		fd, err := unix.Openat2(unix.AT_FDCWD, m.Source, &unix.OpenHow{
			Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN): // something was renamed meanwhile
			continue
		case errors.Is(err, unix.ELOOP):
			return nil, &LinkedError{m}
		}
		if err != nil {
			return nil, fmt.Errorf("mount on %s: open %s: %w", m.Target, m.Source, err)
		}
		return os.NewFile(uintptr(fd), m.Source), nil
	}
}

// CheckSource returns why a mount's directory is not there to be mounted.
func CheckSource(m Mount) error {
	info, err := os.Stat(m.Source)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "stat", Path: m.Source, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return fmt.Errorf("mount on %s: %w", m.Target, err)
	}
	return nil
}

// sortMounts puts what is mounted inside another mount behind that one.
func sortMounts(all []Mount) []Mount {
	return slices.SortedStableFunc(slices.Values(all), func(a, b Mount) int { return strings.Compare(a.Target, b.Target) })
}
