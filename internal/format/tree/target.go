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

	links int // that were followed
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
	if leads, is := ledTo(bare); is {
		if t.links++; t.links > maxLinks {
			return "", &os.PathError{Op: "copy to", Path: bare, Err: syscall.ELOOP}
		}
		t.Path = leads + t.Path[len(bare):]
		return t.resolve(isDir)
	}
	parent, err := os.Stat(path.Dir(bare))
	if t.Into || !isDir && bare != t.Path || err != nil || !parent.IsDir() {
		return "", &os.PathError{Op: "copy to", Path: t.Path, Err: ErrNoDirectory}
	}
	return bare, nil
}

// maxLinks is how many links may lead from one to the next, as Linux has it.
const maxLinks = 40

// ledTo returns what a link leads to by its words, which need not be there.
func ledTo(file string) (string, bool) {
	words, err := os.Readlink(file)
	if err != nil {
		return "", false
	}
	if path.IsAbs(words) {
		return words, true
	}
	dir, err := filepath.EvalSymlinks(path.Dir(file))
	return path.Join(dir, words), err == nil
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
