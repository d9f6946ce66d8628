package imagemgr

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

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

// openArchive finds out what lies where in a tar, which must not be compressed.
func openArchive(ctx context.Context, name string) (*archiveParts, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	a := &archiveParts{file: f, at: map[string]*io.SectionReader{}, links: map[string]string{}}
	if err := a.index(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

func (a *archiveParts) index(ctx context.Context) error {
	var magic [6]byte
	n, _ := a.file.ReadAt(magic[:], 0)
	if format := rootfs.Compression(magic[:n]); format != "" {
		return fmt.Errorf("it is compressed with %s: decompress it first", format)
	}
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

// check reads all of p and compares it with what its digest promises. It
// leaves p at its start.
func check(ctx context.Context, p part, want v1.Hash) error {
	if want.Algorithm != "sha256" {
		return fmt.Errorf("digest %s: only sha256 is known", want)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, interruptible{ctx, p}); err != nil {
		return err
	}
	if got := digestOf(sum); got != want.String() {
		return &DigestError{Want: want.String(), Got: got}
	}
	_, err := p.Seek(0, io.SeekStart)
	return err
}

// DigestError says that something is not what its digest promises.
type DigestError struct{ Want, Got string }

func (e *DigestError) Error() string {
	return fmt.Sprintf("digest mismatch: %s is expected, the content has %s", e.Want, e.Got)
}
