package project

import (
	"context"
	"fmt"
	"path"
)

// dotGit is where a work tree's repository is, or is named.
const dotGit = ".git"

// addWorkTree adds the work tree in the directory name, and the repository that
// it is the root of.
func (l *list) addWorkTree(ctx context.Context, name string) error {
	dir := l.host(name)
	files, err := l.git.workTree(ctx, dir)
	if err != nil {
		return fmt.Errorf("list the files of the repository %s: %w", dir, err)
	}
	if exists(l.host(path.Join(name, dotGit))) {
		if err := l.addRepository(path.Join(name, dotGit)); err != nil {
			return fmt.Errorf("read the repository %s: %w", dir, err)
		}
	}
	dirs := map[string]bool{".": true}
	for _, f := range files {
		as := path.Join(name, f.name)
		if !l.isReal(path.Dir(as), dirs) {
			continue // deleted, or beyond what is a link now
		}
		l.add(as)
		if f.submodule && isDir(l.host(as)) {
			if err := l.addNested(ctx, as); err != nil {
				return err
			}
		}
	}
	return nil
}

// addNested adds what is in a submodule, or in a repository that is none.
func (l *list) addNested(ctx context.Context, name string) error {
	if exists(l.host(path.Join(name, dotGit))) {
		return l.addWorkTree(ctx, name)
	}
	return l.addAll(name, l.host(name))
}

// isReal reports whether a name leads to a directory through no links. known is
// what was found before.
func (l *list) isReal(name string, known map[string]bool) bool {
	is, found := known[name]
	if !found {
		is = l.isReal(path.Dir(name), known) && isDir(l.host(name))
		known[name] = is
	}
	return is
}
