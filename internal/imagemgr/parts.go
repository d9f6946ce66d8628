package imagemgr

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	// maxJSON bounds manifests and configurations, which are held in memory: as
	// registries do that follow the reference implementation.
	maxJSON = 4 << 20
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

// has reports whether there is a part of that name.
func has(files parts, name string) bool {
	p, err := files.open(name)
	if err == nil {
		p.Close()
	}
	return err == nil
}
