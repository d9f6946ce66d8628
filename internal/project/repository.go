package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"banger/internal/smallfile"
)

// maxText is more than the files have that say how a repository is laid out, in bytes.
const maxText = 4 << 20

// repository is where git keeps what belongs to a work tree.
type repository struct {
	dir    string // HEAD, the index and what else is the work tree's own
	common string // branches, objects and the rest; often dir too
}

// addRepository adds a work tree's repository at name: as it is where all of it
// lies there, else put together as one directory.
func (l *list) addRepository(name string) error {
	info, err := os.Lstat(l.host(name))
	if err != nil {
		return err
	}
	r, err := findRepository(l.host(name), info)
	if err != nil {
		return err
	}
	top := l.host(dotGit)
	if info.Mode().IsRegular() && isDir(top) && within(top, r.dir) && name != dotGit {
		return l.addPointer(name, r.dir) // what it names is copied too
	}
	l.add(name)
	if !info.IsDir() {
		l.files[len(l.files)-1].From = r.common
	}
	if r.dir != r.common {
		err = l.addData(name, r.common, isShared)
	}
	if err == nil {
		err = l.addData(name, r.dir, func(file string) bool { return info.IsDir() || isOwn(file) })
	}
	if err == nil && !info.IsDir() {
		err = l.setWorkTree(name, r)
	}
	if err != nil {
		return err
	}
	return l.addBorrowed(name, r.common)
}

// addPointer adds a .git file that leads to dir, wherever the copy will be.
func (l *list) addPointer(name, dir string) error {
	to, err := filepath.Rel(filepath.Dir(l.host(name)), dir)
	if err != nil {
		return err
	}
	l.files = append(l.files, File{Name: name, Content: []byte("gitdir: " + to + "\n")})
	return nil
}

// isOwn reports whether a file of a repository that is put together is its own,
// and not what ties it to others. Submodules get theirs in their own places.
func isOwn(file string) bool { return file != "commondir" && file != "gitdir" && file != "modules" }

// isShared reports whether worktrees share a file of their repository; it is
// gitrepository-layout(5)'s and git-worktree(1)'s rule.
func isShared(file string) bool {
	first, rest, _ := strings.Cut(file, "/")
	switch first {
	case "objects", "packed-refs", "config", "hooks", "info", "shallow", "lfs", "description", "remotes", "branches", "rr-cache", "svn":
		return file != "info/sparse-checkout"
	case "refs":
		second, _, _ := strings.Cut(rest, "/")
		return second != "bisect" && second != "worktree" && second != "rewritten"
	case "logs":
		return file != "logs/HEAD"
	}
	return false
}

// addData adds the files below from that are wanted, by their names there. A
// link that leads to another repository's data is that; all others stay links, so
// that who made a repository cannot have a guest read what else is on the host.
func (l *list) addData(name, from string, wanted func(string) bool) error {
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // git has tidied up
		}
		if err != nil || file == from {
			return err
		}
		below, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		if !wanted(filepath.ToSlash(below)) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		as := path.Join(name, filepath.ToSlash(below))
		if d.Type()&fs.ModeSymlink == 0 {
			l.addFrom(as, file)
			return nil
		}
		if target, err := filepath.EvalSymlinks(file); err == nil && !within(from, target) && inGitDir(target) {
			return l.addAll(as, target)
		}
		l.addFrom(as, file)
		return nil
	})
}

// setWorkTree sets in the copied repository's configuration where its files are: in the
// directory that it is in, wherever they were on the host.
func (l *list) setWorkTree(name string, r repository) error {
	for _, file := range []string{filepath.Join(r.common, "config"), filepath.Join(r.dir, "config.worktree")} {
		config, err := smallfile.Read(file, maxText)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		config = append(config, "\n[core]\n\tbare = false\n\tworktree = ..\n"...)
		l.replace(path.Join(name, filepath.Base(file)), config)
	}
	return nil
}

// addBorrowed adds the objects that a clone by --shared or --reference has in
// other repositories, and has it need those no more.
func (l *list) addBorrowed(name, common string) error {
	alternates := path.Join("info", "alternates")
	seen := map[string]bool{}
	queue := alternatesOf(filepath.Join(common, "objects"))
	if len(queue) == 0 {
		return nil
	}
	l.replace(path.Join(name, "objects", alternates), []byte{})
	for len(queue) > 0 {
		store := queue[0]
		queue = queue[1:]
		if seen[store] {
			continue
		}
		seen[store] = true
		queue = append(queue, alternatesOf(store)...)
		if err := l.addData(path.Join(name, "objects"), store, isObject); err != nil {
			return fmt.Errorf("borrowed objects: %w", err)
		}
	}
	return nil
}

// isObject reports whether a file is an object of a store, a pack of objects, or
// leads to one. The indexes of all of a store's packs are left out.
func isObject(file string) bool {
	dir, name, _ := strings.Cut(file, "/")
	if dir == "pack" {
		return name == "" || strings.HasPrefix(name, "pack-")
	}
	return isHex(dir) && len(dir) == 2 && (name == "" || isHex(name))
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

// alternatesOf lists the stores that a store of objects leans on.
func alternatesOf(store string) []string {
	text, err := smallfile.Read(filepath.Join(store, "info", "alternates"), maxText)
	if err != nil {
		return nil
	}
	var stores []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(store, line)
		}
		stores = append(stores, filepath.Clean(line))
	}
	return stores
}

// replace has the copy of a file that was added hold other content.
func (l *list) replace(name string, content []byte) {
	for i := range l.files {
		if l.files[i].Name == name {
			l.files[i].Content = content
		}
	}
}

// findRepository follows a .git that is a directory, a link or a file.
func findRepository(dot string, info fs.FileInfo) (r repository, err error) {
	dir := dot
	if info.Mode().IsRegular() {
		text, err := smallfile.Read(dot, maxText)
		if err != nil {
			return r, err
		}
		to, found := strings.CutPrefix(strings.TrimRight(string(text), "\r\n"), "gitdir: ")
		if !found {
			return r, fmt.Errorf("%s does not name a repository", dot)
		}
		if dir = to; !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(dot), to)
		}
	}
	if r.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return r, err
	}
	r.common = r.dir
	text, err := smallfile.Read(filepath.Join(r.dir, "commondir"), maxText)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if r.common = strings.TrimRight(string(text), "\r\n"); !filepath.IsAbs(r.common) {
		r.common = filepath.Join(r.dir, r.common)
	}
	if err == nil {
		r.common, err = filepath.EvalSymlinks(r.common)
	}
	return r, err
}

// within reports whether path is dir or below it.
func within(dir, path string) bool {
	below, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(below)
}
