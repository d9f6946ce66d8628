package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// outsidePrefix is of what is made in directories that are not banger's: only what
// has this name is swept up there.
const outsidePrefix = ".banger-export-"

// StageOutside is Stage for a file or directory that becomes path, in a directory of
// the user's. What dead processes left there, of this kind, is swept up.
func StageOutside(path string) (*Stage, error) {
	t := Tree{Kind: "file", Dir: filepath.Dir(path)}
	locks, _ := filepath.Glob(filepath.Join(quoteGlob(t.Dir), outsidePrefix+"*"+lockSuffix))
	for _, lock := range locks {
		sweepStage(strings.TrimSuffix(lock, lockSuffix))
	}
	return t.stage(outsidePrefix)
}

// quoteGlob has a pattern match a path itself.
func quoteGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// CreateOutside makes a file that becomes path, which must be free, where write has
// filled it: all of it or nothing. Where the file system allows that, it has no
// name until then, so that nothing stays of a process that is killed.
func CreateOutside(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(filepath.Dir(path), unix.O_TMPFILE|os.O_RDWR, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) {
		return createStaged(path, write)
	}
	if err != nil {
		return &fs.PathError{Op: "create", Path: path, Err: errors.Unwrap(err)}
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := flushFile(f); err != nil {
		return err
	}
	err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return flush(filepath.Dir(path))
}

func createStaged(path string, write func(*os.File) error) error {
	stage, err := StageOutside(path)
	if err != nil {
		return err
	}
	defer stage.Discard()
	f, err := os.OpenFile(stage.Path("file"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := flushFile(f); err != nil {
		return err
	}
	return stage.tree.moveTo(f.Name(), filepath.Base(path), unix.RENAME_NOREPLACE)
}
