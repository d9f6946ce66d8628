package tree

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// dir is a directory that is open.
type dir struct {
	fd     int
	name   string      // below the top, which is ""
	header *tar.Header // what it is to be once nothing is put in any more, or nil
}

// openTop opens the directory that place is, made where absent.
func (u *unpacker) openTop(h *tar.Header, place string) error {
	err := unix.Mkdir(place, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "mkdir", Path: place, Err: err}
	}
	if err := u.openDir(place, false); err != nil {
		return err
	}
	if made || u.Keep {
		u.dirs[0].header = h
	}
	return nil
}

// openDir opens the directory to unpack into.
func (u *unpacker) openDir(place string, parents bool) error {
	if parents {
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return err
		}
		err := os.Mkdir(place, 0o755)
		if err == nil && u.Owner != nil {
			err = os.Lchown(place, u.Owner.UID, u.Owner.GID)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	fd, err := unix.Open(place, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: place, Err: err}
	}
	u.dirs = append(u.dirs, &dir{fd: fd})
	return nil
}

// enterDir makes a directory, or joins one that is there.
func (u *unpacker) enterDir(h *tar.Header) error {
	if h.Name == "." {
		if u.Keep || u.Replace {
			u.dirs[0].header = h
		}
		return nil
	}
	parent, base := path.Split(h.Name)
	at, err := u.enter(strings.TrimSuffix(parent, "/"))
	if err != nil {
		return err
	}
	made, err := u.push(at, base, 0o700)
	if err != nil {
		return err
	}
	if made || u.Keep || u.Replace {
		u.dirs[len(u.dirs)-1].header = h
	}
	return nil
}

// enter opens a directory and those above it, which are made where absent. Those
// that are not above it are done.
func (u *unpacker) enter(name string) (*dir, error) {
	last := u.dirs[len(u.dirs)-1]
	if last.name == name {
		return last, nil
	}
	keep := 1
	for keep < len(u.dirs) && (u.dirs[keep].name == name || strings.HasPrefix(name, u.dirs[keep].name+"/")) {
		keep++
	}
	if err := u.leaveTo(keep); err != nil {
		return nil, err
	}
	last = u.dirs[keep-1]
	for last.name != name {
		base, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, last.name), "/"), "/")
		made, err := u.push(last, base, 0o755)
		if err != nil {
			return nil, err
		}
		last = u.dirs[len(u.dirs)-1]
		if made && u.Owner != nil {
			if err := unix.Fchown(last.fd, u.Owner.UID, u.Owner.GID); err != nil {
				return nil, err
			}
		}
	}
	return last, nil
}

// push opens the directory base in at, made where absent.
func (u *unpacker) push(at *dir, base string, mode uint32) (made bool, err error) {
	if len(u.dirs) > maxDepth {
		return false, errDeep
	}
	err = unix.Mkdirat(at.fd, base, mode)
	if errors.Is(err, unix.EEXIST) && u.Replace && !isDirAt(at.fd, base) {
		if err = unix.Unlinkat(at.fd, base, 0); err == nil {
			err = unix.Mkdirat(at.fd, base, mode)
		}
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return false, err
	}
	made = err == nil
	fd, err := openDirAt(at.fd, base)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		err = errNoDir
	}
	if err != nil {
		return made, err
	}
	u.dirs = append(u.dirs, &dir{fd: fd, name: path.Join(at.name, base)})
	return made, nil
}

var errNoDir = errors.New("there is a file of that name, and no directory")

func openDirAt(at int, base string) (int, error) {
	return unix.Openat(at, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

func isDirAt(at int, base string) bool {
	var st unix.Stat_t
	return unix.Fstatat(at, base, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// leaveTo closes directories until so many are open, each as it is to be.
func (u *unpacker) leaveTo(keep int) error {
	for len(u.dirs) > keep {
		d := u.dirs[len(u.dirs)-1]
		u.dirs = u.dirs[:len(u.dirs)-1]
		var err error
		if d.header != nil {
			err = u.attributes(d.fd, d.header)
		}
		unix.Close(d.fd)
		if err != nil {
			return fault(d.name, err)
		}
	}
	return nil
}

// close closes what is open after an error.
func (u *unpacker) close() {
	for _, d := range u.dirs {
		unix.Close(d.fd)
	}
	u.dirs = nil
}

// find opens the directory that a file of the tree is in, through no link. done
// closes it.
func (u *unpacker) find(name string) (at int, base string, done func(), err error) {
	at = u.dirs[0].fd
	done = func() {}
	for _, d := range u.dirs[1:] {
		if rest, below := strings.CutPrefix(name, d.name+"/"); below && !strings.Contains(rest, "/") {
			return d.fd, rest, done, nil
		}
	}
	for {
		base, rest, below := strings.Cut(name, "/")
		if !below {
			return at, base, done, nil
		}
		next, err := openDirAt(at, base)
		done()
		if err != nil {
			return 0, "", nil, err
		}
		at, name, done = next, rest, func() { unix.Close(next) }
	}
}
