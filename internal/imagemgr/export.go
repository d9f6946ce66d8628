package imagemgr

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"banger/internal/format/ext4"
	"banger/internal/format/tarfile"
	"banger/internal/statedir"
)

// The formats that an image can be given away in.
const (
	FormatExt4 = "ext4" // the file system as it is
	FormatTar  = "tar"  // what docker import takes
	FormatOCI  = "oci"  // an OCI layout with one layer
)

// ExportOptions say which image to give away, in what format and where to.
type ExportOptions struct {
	Name   string
	Format string
	Path   string    // a file, or the directory of a layout; neither may be there yet
	Out    io.Writer // takes what is no layout where Path is ""
}

// Export writes an image in a format that others read. It is checked before:
// a damaged one is not given away. At Path is all of it or nothing.
func (s *Store) Export(ctx context.Context, o ExportOptions) error {
	if _, err := s.Get(o.Name); err != nil {
		return err
	}
	write, err := exporter(o)
	if err != nil {
		return err
	}
	src, i, err := s.getWhole(ctx, o.Name)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := write(ctx, src, i); err != nil {
		return fmt.Errorf("export image %q: %w", o.Name, err)
	}
	return nil
}

// exporter chooses how to write, and refuses what cannot be.
func exporter(o ExportOptions) (func(context.Context, *os.File, Image) error, error) {
	if o.Path != "" {
		if _, err := os.Lstat(o.Path); err == nil {
			return nil, fmt.Errorf("%s is there already", o.Path)
		}
	}
	switch {
	case o.Format == FormatOCI && o.Path == "":
		return nil, errors.New("an OCI layout is a directory, which has to have a path")
	case o.Format == FormatOCI:
		return o.layout, nil
	case o.Format != FormatTar && o.Format != FormatExt4:
		return nil, fmt.Errorf("the format %q is none of ext4, tar and oci", o.Format)
	case o.Path == "":
		return func(ctx context.Context, src *os.File, _ Image) error { return o.stream(ctx, o.Out, src) }, nil
	}
	return o.file, nil
}

// stream writes a file system, or the tar of it, to w.
func (o ExportOptions) stream(ctx context.Context, w io.Writer, src *os.File) error {
	if o.Format == FormatTar {
		return writeTar(ctx, w, src)
	}
	_, err := io.Copy(w, interruptible{ctx, src})
	return err
}

func (o ExportOptions) file(ctx context.Context, src *os.File, _ Image) error {
	err := statedir.CreateOutside(o.Path, func(f *os.File) error {
		if o.Format == FormatExt4 {
			return statedir.CopySparse(ctx, f, src)
		}
		return o.stream(ctx, f, src)
	})
	return plain(err)
}

// writeTar writes the files of a file system as a tar.
func writeTar(ctx context.Context, w io.Writer, src *os.File) error {
	files, err := ext4.NewReader(src)
	if err != nil {
		return fmt.Errorf("its file system %w", err)
	}
	buffered := bufio.NewWriterSize(interruptibleWriter{ctx, w}, 1<<20)
	out := tarfile.NewWriter(buffered)
	err = files.Walk(func(h *tar.Header, content io.Reader) error {
		if h.Typeflag == tar.TypeDir {
			h.Name = strings.TrimSuffix(h.Name, "/") + "/"
		}
		return out.Add(h, content)
	})
	if err == nil {
		err = out.Close()
	}
	if err == nil {
		err = buffered.Flush()
	}
	return err
}

// interruptibleWriter is a writer that ends with its context.
type interruptibleWriter struct {
	ctx context.Context
	io.Writer
}

func (w interruptibleWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}
