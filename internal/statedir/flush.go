package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// flushFile has a file's or a directory's content outlive a power cut. Tests
// listen in.
var flushFile = (*os.File).Sync

// flush is flushFile for a path. A name that was given, changed or taken away is
// on the disk when the directory that it is in has been flushed. Locks are not:
// after a power cut they mean nothing.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return flushFile(f)
}

// flushesAtOnce is how many flushes wait beside each other: a file system writes its
// journal once for all that do.
const flushesAtOnce = 16

// flushTree flushes every file and directory below dir, and dir.
func flushTree(dir string) error {
	var flushes errgroup.Group
	flushes.SetLimit(flushesAtOnce)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() || d.IsDir() {
			flushes.Go(func() error { return flush(path) })
		}
		return nil
	})
	return errors.Join(err, flushes.Wait())
}

// MakeDir makes a directory of the state's, the owner's alone, and those above
// it that are not there yet.
func MakeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return flush(filepath.Dir(dir))
	case errors.Is(err, fs.ErrExist):
		// What is there may be a file: let the operating system say so.
		return os.MkdirAll(dir, 0o700)
	case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
		return err
	}
	if err := MakeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return MakeDir(dir)
}

// MakeDirIn is MakeDir for a directory of an entry's, which is not made anew where it
// was removed meanwhile.
func MakeDirIn(entry, name string) (dir string, err error) {
	dir = filepath.Join(entry, name)
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return dir, nil
	}
	if err == nil {
		err = flush(entry)
	}
	return dir, err
}
