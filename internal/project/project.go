// Package project lists the files of a directory that belong into a guest: of
// a git repository those that are tracked or at least not ignored, those of its
// submodules and of repositories within it, and what git itself needs to work
// on the copy; of any other directory all. It changes nothing.
//
// Where a repository's own data lies elsewhere (a worktree, a submodule, a
// clone that borrows objects), the copy gets it as a plain .git directory.
package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// File is a file, a directory or a symbolic link to copy.
type File struct {
	Name    string // in the copy: slash-separated, relative
	From    string // on the host, where it is not at Name below the directory
	Content []byte // what a regular file is to hold, where that is not what From does
}

// Files returns what to copy from dir, parents before children.
func Files(ctx context.Context, dir string) ([]File, error) {
	t, err := List(ctx, dir)
	return slices.DeleteFunc(t.Files, func(f File) bool {
		return f.Content == nil && !exists(cmp.Or(f.From, filepath.Join(t.dir, filepath.FromSlash(f.Name))))
	}), err
}

// Tree is a directory whose files are listed.
type Tree struct {
	Files   []File // what to copy, parents before children; tracked ones need not be there
	Tracked bool   // by git

	git *git
	dir string
}

// List lists the files of dir.
func List(ctx context.Context, dir string) (t Tree, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return t, err
	}
	if !info.IsDir() {
		return t, fmt.Errorf("%s is not a directory", dir)
	}
	if t.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return t, err
	}
	if t.git, err = newGit(ctx); err != nil {
		return t, err
	}
	if t.Tracked, err = t.git.hasWorkTree(ctx, t.dir); err != nil {
		return t, fmt.Errorf("list the files of the repository %s: %w", t.dir, err)
	}
	l := &list{git: t.git, top: t.dir}
	if t.Tracked {
		err = l.addWorkTree(ctx, ".")
	} else {
		err = l.addAll(".", t.dir)
	}
	t.Files = l.files
	return t, err
}

// list is what is to be copied of the directory top.
type list struct {
	git   *git
	top   string
	files []File
}

func (l *list) add(name string) { l.files = append(l.files, File{Name: name}) }

// host is where the file of a name is.
func (l *list) host(name string) string { return filepath.Join(l.top, filepath.FromSlash(name)) }

// addAll adds everything in the directory from under name; as far as it is not
// there any more, something else has removed it.
func (l *list) addAll(name, from string) error {
	return filepath.WalkDir(from, func(file string, _ fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		below, err := filepath.Rel(from, file)
		if as := path.Join(name, filepath.ToSlash(below)); err == nil && as != "." {
			l.addFrom(as, file)
		}
		return err
	})
}

// addFrom adds the host's file from under name.
func (l *list) addFrom(name, from string) {
	if from == l.host(name) {
		from = ""
	}
	l.files = append(l.files, File{Name: name, From: from})
}
