package imagemgr

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"

	"banger/internal/format/rootfs"
)

const (
	// maxJSON bounds manifests and configurations, which are held in memory: as
	// registries do that follow the reference implementation.
	maxJSON = 4 << 20
	// maxParts is how many files an archive of an image may have.
	maxParts = 1 << 16
	// maxPartName is the longest name of one that is looked for.
	maxPartName = 4095
)

// part is a file of an OCI image: a blob, or what tells of the blobs.
type part struct {
	*io.SectionReader
	io.Closer
}

// parts are the files of an image that is on disk, by slash-separated name.
// The error is fs.ErrNotExist where there is none of that name.
type parts interface {
	open(name string) (part, error)
	io.Closer
}

// dirParts are the files of a directory.
type dirParts string

func (d dirParts) open(name string) (part, error) {
	return openPart(filepath.Join(string(d), filepath.FromSlash(name)))
}

// Close does nothing.
func (d dirParts) Close() error { return nil }

// openPart opens a file as a part.
func openPart(path string) (part, error) {
	f, err := os.Open(path)
	if err != nil {
		return part{}, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return part{}, err
	}
	return part{io.NewSectionReader(f, 0, info.Size()), f}, nil
}

// archiveParts are the files in a tar, where they lie.
type archiveParts struct {
	file  *os.File
	at    map[string]*io.SectionReader
	links map[string]string
}

// openArchive finds out what lies where in a tar. A compressed one is
// decompressed first, into a file in dir.
func openArchive(ctx context.Context, o PullOptions, name, dir string) (*archiveParts, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	var magic [6]byte
	n, _ := f.ReadAt(magic[:], 0)
	if rootfs.Compression(magic[:n]) != "" {
		packed := f
		f, err = unpackArchive(ctx, o, packed, dir)
		packed.Close()
		if err != nil {
			return nil, err
		}
	}
	a := &archiveParts{file: f, at: map[string]*io.SectionReader{}, links: map[string]string{}}
	if err := a.index(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

// unpackArchive decompresses a tar into a file that is gone when it is closed.
func unpackArchive(ctx context.Context, o PullOptions, packed *os.File, dir string) (_ *os.File, err error) {
	info, err := packed.Stat()
	if err != nil {
		return nil, plain(err)
	}
	r, err := rootfs.Decompress(newMeter(o.Progress, "decompress", info.Size()).reader(packed))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := unnamed(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	limit := cmp.Or(o.Limits.Size, math.MaxInt64-1)
	n, err := io.Copy(struct{ io.Writer }{f}, io.LimitReader(interruptible{ctx, r}, limit+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("it is truncated")
	case err != nil:
		return nil, plain(err)
	case n > limit:
		return nil, &rootfs.LimitError{What: "bytes", Limit: limit}
	}
	_, err = f.Seek(0, io.SeekStart)
	return f.File, err
}

func (a *archiveParts) index(ctx context.Context) error {
	for r := tar.NewReader(a.file); ; {
		hdr, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("it is truncated, or not a tar")
		case err != nil:
			return errors.New("it is not a tar")
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if len(hdr.Name) > maxPartName || len(hdr.Linkname) > maxPartName {
			continue // no part of an image
		}
		if len(a.at)+len(a.links) >= maxParts {
			return fmt.Errorf("it has more than %d files", maxParts)
		}
		name := path.Clean(hdr.Name)
		switch hdr.Typeflag {
		case tar.TypeReg:
			// archive/tar reads a file without a buffer of its own.
			start, err := a.file.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			a.at[name] = io.NewSectionReader(a.file, start, hdr.Size)
		case tar.TypeSymlink: // as old versions of docker save share layers
			a.links[name] = path.Join(path.Dir(name), hdr.Linkname)
		}
	}
}

func (a *archiveParts) open(name string) (part, error) {
	name = path.Clean(name)
	if target, ok := a.links[name]; ok {
		name = target
	}
	section, ok := a.at[name]
	if !ok {
		return part{}, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return part{io.NewSectionReader(section, 0, section.Size()), io.NopCloser(nil)}, nil
}

func (a *archiveParts) Close() error { return a.file.Close() }

// readPart returns the content of a part that tells of others.
func readPart(files parts, name string) ([]byte, error) {
	p, err := files.open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plain(err))
	}
	defer p.Close()
	if p.Size() > maxJSON {
		return nil, fmt.Errorf("%s: %d bytes are too many", name, p.Size())
	}
	return io.ReadAll(p)
}
