// Package project lists the files of a directory that belong into a guest: of
// a git repository those that are tracked or at least not ignored, and .git;
// of any other directory all. It changes nothing.
package project

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/process"
)

// Files returns the files and directories to copy from dir, slash-separated
// and relative to it, parents before children.
func Files(ctx context.Context, dir string) ([]string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	_, err = os.Lstat(filepath.Join(dir, ".git"))
	isRepository := err == nil
	files, err := gitFiles(ctx, dir)
	switch {
	case err != nil && isRepository:
		return nil, fmt.Errorf("list the files of the repository %s: %w", dir, err)
	case err != nil:
		return walk(dir, ".")
	case isRepository:
		own, err := walk(dir, ".git")
		return append(own, files...), err
	}
	return files, nil // a part of a repository
}

func gitFiles(ctx context.Context, dir string) ([]string, error) {
	out, err := process.Output(ctx, "git", "-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, err
	}
	var files []string
	for name := range bytes.SplitSeq(out, []byte{0}) {
		if len(name) > 0 {
			files = append(files, strings.TrimSuffix(string(name), "/"))
		}
	}
	return files, nil
}

// walk lists everything from start, which is below dir, on.
func walk(dir, start string) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(dir), start, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != "." {
			files = append(files, path)
		}
		return err
	})
	return files, err
}
