package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"banger/internal/process"
)

// git asks git about the repository that a directory is in, whatever
// repository a hook or an alias that calls has named in the environment.
type git struct {
	env       []string
	installed bool
}

func newGit(ctx context.Context) (*git, error) {
	g := &git{env: append(os.Environ(), "LC_ALL=C"), installed: true}
	local, err := g.output(ctx, "/", "rev-parse", "--local-env-vars")
	if errors.As(err, new(*process.NotFoundError)) {
		g.installed = false
		return g, nil
	}
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(local))
	g.env = slices.DeleteFunc(g.env, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
	return g, nil
}

// output runs git in dir, and no program that the repository names.
func (g *git) output(ctx context.Context, dir string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := process.Run(ctx, process.Cmd{
		Args: append([]string{"git", "-C", dir, "-c", "core.fsmonitor=false"}, args...), Env: g.env, Stdout: &out,
	})
	return out.Bytes(), err
}

// hasWorkTree reports whether git keeps dir's files. The error says that it
// should, and cannot: then what it ignores would be copied too.
func (g *git) hasWorkTree(ctx context.Context, dir string) (bool, error) {
	if isGitDir(dir) {
		return false, nil // a bare repository
	}
	if !g.installed {
		if repositoryAbove(dir) {
			return false, &process.NotFoundError{Program: "git"}
		}
		return false, nil
	}
	out, err := g.output(ctx, dir, "rev-parse", "--is-inside-work-tree")
	switch {
	case err != nil && !exists(filepath.Join(dir, dotGit)) && saysNone(err):
		return false, nil
	case err != nil && strings.Contains(err.Error(), "safe.directory"):
		return false, fmt.Errorf("it belongs to another user: %w", err)
	case err != nil:
		return false, err
	case strings.TrimSpace(string(out)) != "true":
		return false, nil // within a repository's own data
	}
	// What is within a directory that git ignores was named, and so is wanted.
	_, err = g.output(ctx, dir, "check-ignore", "-q", ".")
	var failed *process.Error
	switch {
	case err == nil:
		return false, nil
	case errors.As(err, &failed) && failed.Status == "exit status 1":
		return true, nil
	}
	return false, err
}

// saysNone reports whether git found no repository: its last line is another one where
// it looked no further than to a mount point.
func saysNone(err error) bool {
	return strings.Contains(err.Error(), "not a git repository") || strings.Contains(err.Error(), "Stopping at filesystem boundary")
}

// workTreeFile is a name that git lists.
type workTreeFile struct {
	name      string
	submodule bool // or another repository
}

const gitlink = "160000 " // the mode of a submodule

// workTree lists the files in dir that are tracked, or at least not ignored.
func (g *git) workTree(ctx context.Context, dir string) ([]workTreeFile, error) {
	var tracked, others []byte
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		tracked, err = g.output(ctx, dir, "ls-files", "-z", "--cached", "--stage")
		return err
	})
	both.Go(func() (err error) {
		others, err = g.output(ctx, dir, "ls-files", "-z", "--others", "--exclude-standard")
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	var files []workTreeFile
	for line := range bytes.SplitSeq(tracked, []byte{0}) {
		mode, name, found := strings.Cut(string(line), "\t")
		if found && name != "" && (len(files) == 0 || files[len(files)-1].name != name) { // a conflict lists three
			files = append(files, workTreeFile{name, strings.HasPrefix(mode, gitlink)})
		}
	}
	for line := range bytes.SplitSeq(others, []byte{0}) {
		if name, isDir := strings.CutSuffix(string(line), "/"); name != "" {
			files = append(files, workTreeFile{name, isDir})
		}
	}
	return files, nil
}

// repositoryAbove reports whether dir is in what looks like a repository.
func repositoryAbove(dir string) bool {
	for {
		if found := filepath.Join(dir, dotGit); isGitDir(found) || isRegular(found) {
			return true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return false
		}
		dir = parent
	}
}

// isGitDir is git's own test.
func isGitDir(dir string) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if !exists(filepath.Join(dir, name)) {
			return false
		}
	}
	return true
}

// inGitDir reports whether a path is a repository's data, or within it.
func inGitDir(path string) bool {
	for !isGitDir(path) {
		parent := filepath.Dir(path)
		if parent == path {
			return false
		}
		path = parent
	}
	return true
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isRegular(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
