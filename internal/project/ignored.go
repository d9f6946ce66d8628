package project

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/process"
)

// Ignored returns which of the names of files in the directory, slash-separated, git
// ignores there; a name that ends in a slash is a directory's. They need not be there.
func (t Tree) Ignored(ctx context.Context, names []string) (map[string]bool, error) {
	if !t.Tracked || len(names) == 0 {
		return nil, nil
	}
	// git does not look behind a link, and ends at a name that is there: such a name is
	// what the link is. A colon at the beginning would say how the rest is meant.
	asked, links := map[string]string{}, linkFinder{t.dir, map[string]string{}}
	var in strings.Builder
	for _, name := range names {
		if len(t.dir)+len(name) > unix.PathMax/2 {
			continue // git would complain of each directory above it, at length
		}
		ask := name
		if link := links.above(name); link != "" {
			ask = link
		}
		asked[name] = "./" + ask
		in.WriteString("./" + ask + "\x00")
	}
	var out bytes.Buffer
	err := process.Run(ctx, process.Cmd{
		Args: []string{"git", "-C", t.dir, "-c", "core.fsmonitor=false", "check-ignore", "-z", "--no-index", "--stdin"},
		Env:  t.git.env, Stdin: strings.NewReader(in.String()), Stdout: &out,
	})
	var failed *process.Error
	if errors.As(err, &failed) && failed.Status == "exit status 1" {
		err = nil // none of them
	}
	is := map[string]bool{}
	for name := range bytes.SplitSeq(out.Bytes(), []byte{0}) {
		is[string(name)] = true
	}
	ignored := map[string]bool{}
	for name, ask := range asked {
		if is[ask] {
			ignored[name] = true
		}
	}
	return ignored, err
}

// linkFinder knows of directories below dir which link leads to them, "" where none
// does.
type linkFinder struct {
	dir   string
	known map[string]string
}

// above is the first link that leads to a name, or "".
func (l linkFinder) above(name string) string {
	at := strings.LastIndexByte(name, '/')
	if at < 0 {
		return ""
	}
	dir := name[:at]
	link, known := l.known[dir]
	if !known {
		if link = l.above(dir); link == "" && isLink(filepath.Join(l.dir, dir)) {
			link = dir
		}
		l.known[dir] = link
	}
	return link
}

func isLink(file string) bool {
	info, err := os.Lstat(file)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}
