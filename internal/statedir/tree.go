package statedir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrExist says that a name is taken, ErrAbsent that there is nothing of it.
var (
	ErrExist  = errors.New("already exists")
	ErrAbsent = errors.New("does not exist")
)

const (
	trashPrefix = ".trash-"
	lockPrefix  = ".lock-"
)

// Tree is a directory with an entry, itself a directory, for each name.
// Names must have passed ref.CheckName.
type Tree struct {
	Kind string // what the entries are, for errors
	Dir  string
}

// Path returns the path of a file of the named entry.
func (t Tree) Path(name string, elem ...string) string {
	return filepath.Join(append([]string{t.Dir, name}, elem...)...)
}

// Exists reports whether name is taken.
func (t Tree) Exists(name string) bool {
	_, err := os.Lstat(t.Path(name))
	return err == nil
}

// Names lists the entries, sorted. An absent tree is an empty one.
func (t Tree) Names() ([]string, error) {
	entries, err := os.ReadDir(t.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list %ss: %w", t.Kind, err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Remove takes the named entry away: it vanishes at once, whole and for good, its
// files are deleted after that. The error is ErrAbsent where there is none.
func (t Tree) Remove(name string) error {
	trash, err := t.Retire(name)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(trash); err != nil {
		return fmt.Errorf("remove %s %q: %w", t.Kind, name, err)
	}
	return nil
}

// Retire takes the named entry away like Remove, but returns where its files still
// are, which the caller deletes, or the next sweep. The error is ErrAbsent where
// there is none.
func (t Tree) Retire(name string) (dir string, err error) {
	trash := t.Path(trashPrefix + rand.Text())
	err = os.Rename(t.Path(name), trash)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s %q %w", t.Kind, name, ErrAbsent)
	}
	if err == nil {
		err = flush(t.Dir)
	}
	if err != nil {
		return "", fmt.Errorf("remove %s %q: %w", t.Kind, name, err)
	}
	return trash, nil
}

// Rename gives an entry another name, which must be free. The error is ErrExist
// where it is not, and ErrAbsent where there is no such entry.
func (t Tree) Rename(from, to string) error {
	return t.moveTo(t.Path(from), to, unix.RENAME_NOREPLACE)
}

// Lock waits for the right to make the named entry, which is nobody else's
// until the lock is removed. It binds only those who ask for it.
func (t Tree) Lock(ctx context.Context, name string) (*Lock, error) {
	if err := MakeDir(t.Dir); err != nil {
		return nil, fmt.Errorf("lock %s %q: %w", t.Kind, name, err)
	}
	return WaitLock(ctx, t.Path(lockPrefix+name))
}

// TryLock is Lock for who has something else to do: the error is ErrLocked where
// another has the right.
func (t Tree) TryLock(name string) (*Lock, error) {
	if err := MakeDir(t.Dir); err != nil {
		return nil, fmt.Errorf("lock %s %q: %w", t.Kind, name, err)
	}
	return TryLock(t.Path(lockPrefix + name))
}

// Watch calls look, which reads the named entry, until what look found is true of
// one entry: what another process removes or replaces meanwhile is neither whole
// nor damaged. The error is ErrAbsent where there is none.
func (t Tree) Watch(name string, look func() error) error {
	for {
		dir, err := os.Open(t.Path(name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s %q %w", t.Kind, name, ErrAbsent)
		}
		if err != nil {
			return err
		}
		err = look()
		same, _ := isAt(dir, t.Path(name)) // it is open: no other gets its inode
		dir.Close()
		if err == nil || same {
			return err
		}
	}
}

// ReadJSON fills v from a file of the named entry. The error is ErrAbsent where
// there is no such entry.
func (t Tree) ReadJSON(name, file string, v any) error {
	return t.Watch(name, func() error { return ReadJSON(t.Path(name, file), v) })
}

// moveTo renames path to the entry's name; flags are renameat2's.
func (t Tree) moveTo(path, name string, flags uint) error {
	err := unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, t.Path(name), flags)
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%s %q %w", t.Kind, name, ErrExist)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s %q %w", t.Kind, filepath.Base(path), ErrAbsent)
	case err != nil:
		return fmt.Errorf("publish %s %q: %w", t.Kind, name, err)
	}
	return flush(t.Dir)
}
