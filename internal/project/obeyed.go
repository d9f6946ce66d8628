package project

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/process"
)

// Obeyed returns the names of files and directories in the directory, slash-separated,
// that git obeys there because its configuration says so: what has hooks in it, or
// will have them in a new repository, and what the configuration includes. Some may not be there yet.
func (t Tree) Obeyed(ctx context.Context) (names []string, err error) {
	if !t.git.installed {
		return nil, nil
	}
	repositories := []string{"."}
	for _, f := range t.Files {
		if path.Base(f.Name) == dotGit && path.Dir(f.Name) != "." {
			repositories = append(repositories, path.Dir(f.Name))
		}
	}
	for _, name := range repositories {
		found, err := t.git.obeyed(ctx, filepath.Join(t.dir, filepath.FromSlash(name)))
		if errors.As(err, new(*process.Error)) && ctx.Err() == nil {
			continue // what git cannot read, it does not obey
		}
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			if below, err := filepath.Rel(t.dir, file); err == nil && filepath.IsLocal(below) && below != "." {
				names = append(names, filepath.ToSlash(below))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// obeyed returns what the configuration in dir names, and what that leads to.
func (g *git) obeyed(ctx context.Context, dir string) (files []string, err error) {
	if out, err := g.output(ctx, dir, "rev-parse", "--show-toplevel"); err == nil {
		dir = strings.TrimSuffix(string(out), "\n") // which hooks and origins are relative to
	}
	out, err := g.output(ctx, dir, "config", "--list", "--show-origin", "-z")
	if err != nil {
		return nil, err
	}
	fields := strings.Split(string(out), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		origin, isFile := strings.CutPrefix(fields[i], "file:")
		if !isFile {
			continue // the command line's
		}
		origin = absolute(dir, origin)
		files = append(files, origin)
		key, value, _ := strings.Cut(fields[i+1], "\n")
		section, _, _ := strings.Cut(key, ".")
		switch {
		case (key == "core.hookspath" || key == "init.templatedir") && value != "":
			files = append(files, hooksDir(absolute(dir, value)))
		case (section == "include" || section == "includeif") && strings.HasSuffix(key, ".path"):
			files = append(files, absolute(filepath.Dir(origin), value))
		}
	}
	for _, file := range files {
		if target, err := filepath.EvalSymlinks(file); err == nil {
			files = append(files, target)
		}
	}
	return files, nil
}

// hooksDir is what belongs to a directory of hooks: those of husky run what is beside
// the directory.
func hooksDir(dir string) string {
	if filepath.Base(dir) == "_" {
		return filepath.Dir(dir)
	}
	return dir
}

// absolute is a path of a configuration's, which may begin with the user's home.
func absolute(dir, file string) string {
	if below, is := strings.CutPrefix(file, "~/"); is {
		dir, file = os.Getenv("HOME"), below
	}
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(dir, file)
}
