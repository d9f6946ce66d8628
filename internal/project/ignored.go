package project

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path"
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
	asked, links := map[string]string{}, linkFinder{}
	var in strings.Builder
	for _, name := range names {
		if len(t.dir)+len(name) > unix.PathMax/2 {
			continue // git would complain of each directory above it, at length
		}
		ask := name
		if link, is := links.above(t.dir, name); is {
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

// linkFinder knows of paths whether they are links.
type linkFinder map[string]bool

// above is the first link that leads to a name below dir, and whether there is one.
func (l linkFinder) above(dir, name string) (link string, is bool) {
	for at := 0; ; at++ {
		next := strings.IndexByte(name[at:], '/')
		if next < 0 {
			return "", false
		}
		at += next
		if l.isLink(path.Join(dir, name[:at])) {
			return name[:at], true
		}
	}
}

func (l linkFinder) isLink(file string) bool {
	is, known := l[file]
	if !known {
		info, err := os.Lstat(file)
		is = err == nil && info.Mode()&os.ModeSymlink != 0
		l[file] = is
	}
	return is
}
