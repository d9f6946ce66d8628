package filesync

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mostOpen is how many directories are open at a time.
const mostOpen = 200

// dirs are directories below one, each opened once for all that is in it. None is
// reached by a link that leads out.
type dirs struct {
	root  *os.Root
	known map[string]*os.File
}

func openDirs(top string) (*dirs, error) {
	root, err := os.OpenRoot(top)
	return &dirs{root, map[string]*os.File{}}, err
}

// open returns the descriptor of a directory, which is good until the next one is
// asked for.
func (d *dirs) open(name string) (int, error) {
	f := d.known[name]
	if f == nil {
		if len(d.known) >= mostOpen {
			d.closeAll()
		}
		var err error
		if f, err = d.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
			return -1, err
		}
		d.known[name] = f
	}
	return int(f.Fd()), nil
}

// isGone reports whether an error says that there is nothing of a name, or that the
// name leads out by a link. Any other says nothing of that: what is taken for removed is
// removed on the other side too.
func isGone(err error) bool {
	errno, ok := errors.AsType[unix.Errno](err)
	return !ok || errno == unix.ENOENT || errno == unix.ENOTDIR || errno == unix.ELOOP
}

func (d *dirs) closeAll() {
	for _, f := range d.known {
		f.Close()
	}
	clear(d.known)
}

func (d *dirs) close() {
	d.closeAll()
	d.root.Close()
}
