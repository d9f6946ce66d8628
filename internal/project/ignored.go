package project

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"banger/internal/process"
)

// Ignored returns which of the names of files in the directory, slash-separated, git
// ignores there; a name that ends in a slash is a directory's. They need not be there.
func (t Tree) Ignored(ctx context.Context, names []string) (map[string]bool, error) {
	if !t.Tracked || len(names) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	in := strings.Join(names, "\x00") + "\x00"
	err := process.Run(ctx, process.Cmd{
		Args: []string{"git", "-C", t.dir, "-c", "core.fsmonitor=false", "check-ignore", "-z", "--no-index", "--stdin"},
		Env:  t.git.env, Stdin: strings.NewReader(in), Stdout: &out,
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
	return ignored, err
}
