package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"banger/internal/format/modules"
	"banger/internal/statedir"
)

// openRegular opens a file that is no device and no pipe, which could block.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	return f, info.Size(), err
}

// copyTree copies directories, regular files and what links to modules lead to,
// as weak-updates has them to another kernel's, or to directories of modules.
// Other links, such as build and source, lead nowhere in a guest.
func copyTree(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o755)
		case d.Type().IsRegular() || leadsToModule(path, d):
			return copyFile(ctx, path, filepath.Join(to, relative))
		case d.Type() == fs.ModeSymlink && relative != "build" && relative != "source": // as for depmod
			return copyLinked(ctx, from, path, filepath.Join(to, relative))
		}
		return nil
	})
}

// copyLinked copies the modules in the directory that a link leads to, if that is
// one apart from top.
func copyLinked(ctx context.Context, top, link, to string) error {
	if !isDir(link) {
		return nil
	}
	from, err := filepath.EvalSymlinks(link)
	if err != nil {
		return err
	}
	if top, err = filepath.EvalSymlinks(top); err != nil || isWithin(top, from) || isWithin(from, top) {
		return err
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() && !leadsToModule(path, d) || !modules.IsModule(path) {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil || relative == "." {
			return err
		}
		file := filepath.Join(to, relative)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return copyFile(ctx, path, file)
	})
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isWithin(dir, path string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(relative)
}

func leadsToModule(path string, d fs.DirEntry) bool {
	if d.Type() != fs.ModeSymlink || !modules.IsModule(path) {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func copyFile(ctx context.Context, from, to string) error {
	in, _, err := openRegular(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFile(ctx, to, in)
}

// writeFile makes a file of content; it has to be a new one.
func writeFile(ctx context.Context, path string, content io.Reader) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	room := &statedir.Room{Dir: filepath.Dir(path)}
	_, err = io.Copy(room.Writer(out), contextReader{ctx, content})
	return err
}

// hashTree lists the regular files below dir with their digests. It reads none
// of those that are known.
func hashTree(ctx context.Context, dir string, known []File) ([]File, error) {
	var files []File
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if i := slices.IndexFunc(known, func(f File) bool { return f.Path == name }); i >= 0 {
			files = append(files, known[i])
			return nil
		}
		f, err := hashFile(ctx, dir, name)
		files = append(files, f)
		return err
	})
	return files, err
}

func hashFile(ctx context.Context, dir, name string) (File, error) {
	f, _, err := openRegular(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	digest := sha256.New()
	n, err := io.Copy(digest, contextReader{ctx, f})
	if err != nil {
		return File{}, fmt.Errorf("hash %s: %w", name, err)
	}
	return File{Path: name, SHA256: hex.EncodeToString(digest.Sum(nil)), Size: n}, nil
}

// contextReader reads until ctx ends, so that ^C stops what copies much.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// contextReaderAt is contextReader for what is read anywhere.
type contextReaderAt struct {
	ctx context.Context
	r   io.ReaderAt
}

func (c contextReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.ReadAt(p, offset)
}
