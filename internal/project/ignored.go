package project

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"

	"banger/internal/process"
)

// Ignored returns which of the names of files in dir, slash-separated, git ignores
// there; a name that ends in a slash is a directory's. They need not be there. The
// second result reports whether git keeps dir at all.
func Ignored(ctx context.Context, dir string, names []string) (map[string]bool, bool, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, false, err
	}
	git, err := newGit(ctx)
	if err != nil {
		return nil, false, err
	}
	inTree, err := git.hasWorkTree(ctx, dir)
	if err != nil || !inTree || len(names) == 0 {
		return nil, inTree, err
	}
	var out bytes.Buffer
	in := strings.Join(names, "\x00") + "\x00"
	err = process.Run(ctx, process.Cmd{
		Args: []string{"git", "-C", dir, "-c", "core.fsmonitor=false", "check-ignore", "-z", "--no-index", "--stdin"},
		Env:  git.env, Stdin: strings.NewReader(in), Stdout: &out,
	})
	var failed *process.Error
	if errors.As(err, &failed) && failed.Status == "exit status 1" {
		err = nil // none of them
	}
	ignored := map[string]bool{}
	for name := range bytes.SplitSeq(out.Bytes(), []byte{0}) {
		if len(name) > 0 {
			ignored[string(name)] = true
		}
	}
	return ignored, true, err
}
