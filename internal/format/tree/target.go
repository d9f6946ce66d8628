package tree

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Target is where a tree goes, by docker cp's rules.
type Target struct {
	// Path is what the tree becomes, or the directory that it is put into. A slash
	// at its end says that it is a directory.
	Path string
	// Name is what the tree is called in a directory: its source's name. "" is for
	// what a directory holds, in place of it.
	Name string
	// Into says that Path has to be a directory that is there.
	Into bool
}

// What a target can be wrong about, as docker says it.
var (
	ErrNoDirectory = errors.New("the destination directory must exist")
	ErrOntoFile    = errors.New("cannot copy a directory to a file")
	ErrOntoDir     = errors.New("cannot copy a file to a directory of its name")
)

// resolve finds what a directory, or anything else, becomes.
func (t Target) resolve(isDir bool) (place string, err error) {
	info, err := os.Stat(t.Path)
	switch {
	case err == nil && info.IsDir():
		return t.inside(isDir)
	case err == nil:
		return t.onto(isDir)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
		return "", err
	}
	bare := strings.TrimRight(t.Path, "/")
	if info, err := os.Stat(bare); err == nil && !info.IsDir() { // and a slash behind
		return t.onto(isDir)
	}
	parent, err := os.Stat(path.Dir(bare))
	switch {
	case t.Into, !isDir && bare != t.Path, err != nil, !parent.IsDir():
		return "", &os.PathError{Op: "copy to", Path: t.Path, Err: ErrNoDirectory}
	case !isDir && dangles(bare):
		return "", &os.PathError{Op: "copy to", Path: t.Path, Err: errors.New("it is a link that leads nowhere")}
	}
	return bare, nil
}

// inside is what becomes of it in a directory that is there.
func (t Target) inside(isDir bool) (string, error) {
	if t.Name == "" {
		if !isDir {
			return "", &os.PathError{Op: "copy to", Path: t.Path, Err: ErrOntoDir}
		}
		return t.Path, nil
	}
	place := path.Join(t.Path, t.Name)
	info, err := os.Lstat(place)
	if err == nil && info.IsDir() != isDir {
		if isDir {
			err = ErrOntoFile
		} else {
			err = ErrOntoDir
		}
		return "", &os.PathError{Op: "copy to", Path: place, Err: err}
	}
	return place, nil
}

// onto is what becomes of it where there is a file. Where that is a link, it is
// what the link leads to.
func (t Target) onto(isDir bool) (string, error) {
	switch {
	case isDir:
		return "", &os.PathError{Op: "copy to", Path: t.Path, Err: ErrOntoFile}
	case t.Into || strings.HasSuffix(t.Path, "/"):
		return "", &os.PathError{Op: "copy to", Path: t.Path, Err: errors.New("it is a file, and no directory")}
	}
	if isSpecial(t.Path) {
		return t.Path, nil
	}
	return filepath.EvalSymlinks(t.Path)
}

func dangles(file string) bool {
	info, err := os.Lstat(file)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}
