package engine

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"banger/internal/agent"
	"banger/internal/agentapi"
	"banger/internal/format/tree"
)

// FileOptions say which file of a guest is meant.
type FileOptions struct {
	Path   string // below the user's home where relative
	User   string // "" is root
	Follow bool   // what a link at Path leads to
}

// ListFiles returns what there is at a path in a running VM, and in it where that is
// a directory. The error is fs.ErrNotExist where there is nothing.
func (e *Engine) ListFiles(ctx context.Context, name string, o FileOptions) (agentapi.Listing, error) {
	return e.agent(name, cmp.Or(o.User, guestRoot)).List(ctx, o.Path, o.Follow)
}

// ErrNoFile says that something is a directory or the like, and no file.
var ErrNoFile = errors.New("it is no file")

// ReadFile writes a file of a running VM to what begin returns, which is told first how
// many bytes will come.
func (e *Engine) ReadFile(ctx context.Context, name string, o FileOptions, begin func(size int64) io.Writer) error {
	_, err := e.agent(name, cmp.Or(o.User, guestRoot)).PackTo(ctx, o.Path, o.Follow, func(r io.Reader) error {
		content := tar.NewReader(r)
		h, err := content.Next()
		if err != nil {
			return fmt.Errorf("read %s: %w", o.Path, err)
		}
		if h.Typeflag != tar.TypeReg {
			return fmt.Errorf("read %s: %w", o.Path, ErrNoFile)
		}
		if _, err := io.Copy(begin(h.Size), content); err != nil {
			return err
		}
		if _, err := content.Next(); !errors.Is(err, io.EOF) {
			return errors.Join(fmt.Errorf("read %s: the guest sends more than a file", o.Path), err)
		}
		_, err = io.Copy(io.Discard, io.LimitReader(r, maxTarEnd))
		return err
	})
	return err
}

// maxTarEnd is more than follows the last entry of a tar that a guest packs.
const maxTarEnd = 1 << 20

// WriteFileOptions say what a file of a guest's is to be.
type WriteFileOptions struct {
	FileOptions
	Size    int64 // how many bytes there are
	Mode    fs.FileMode
	Parents bool // directories above it are made where absent
}

// WriteFile creates or replaces a file in a running VM with the content of r. The file has
// its name only once it is whole.
func (e *Engine) WriteFile(ctx context.Context, name string, o WriteFileOptions, r io.Reader) error {
	dir, base := path.Split(o.Path)
	if base == "" || base == "." || base == ".." {
		return fmt.Errorf("write %s: %w", o.Path, ErrNoFile)
	}
	h := tar.Header{Typeflag: tar.TypeReg, Name: base, Size: o.Size, Mode: int64(o.Mode.Perm()), ModTime: time.Now()}
	_, err := e.agent(name, cmp.Or(o.User, guestRoot)).UnpackFrom(ctx, func(w io.Writer) error {
		return buffered(w, func(w io.Writer) error {
			out := tar.NewWriter(w)
			if err := out.WriteHeader(&h); err != nil {
				return err
			}
			if _, err := io.Copy(out, r); err != nil {
				return err
			}
			return out.Close()
		})
	}, agent.Target{Any: true, Make: o.Parents, Target: tree.Target{Path: cmp.Or(dir, ".")}})
	return err
}
