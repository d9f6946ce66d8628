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
	"strings"

	"banger/internal/format/rootfs"
)

const (
	// maxParts is how many files an archive of an image may have.
	maxParts = 1 << 16
	// maxPartName is the longest name of one that is looked for.
	maxPartName = 4095
	// maxPartLinks is how many links may lead to one.
	maxPartLinks = 40
)

// archiveParts are the files in a tar, where they lie.
type archiveParts struct {
	file  *os.File
	at    map[string]*io.SectionReader
	links map[string]string
}

// openArchive finds out what lies where in a tar. A compressed one, and what
// comes through a pipe, such as standard input, goes to a file in dir first.
func openArchive(ctx context.Context, o PullOptions, name, dir string) (*archiveParts, error) {
	f, err := openSeekable(ctx, o, name, dir)
	if err != nil {
		return nil, err
	}
	a := &archiveParts{file: f, at: map[string]*io.SectionReader{}, links: map[string]string{}}
	if err := a.index(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

func openSeekable(ctx context.Context, o PullOptions, name, dir string) (*os.File, error) {
	if name == "-" && o.Stdin == nil {
		return nil, errNoInput
	}
	if name == "-" {
		return unpackArchive(ctx, o, o.Stdin, 0, dir)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, plain(err)
	}
	var head [rootfs.HeadSize]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && info.IsDir() {
		f.Close()
		return nil, errors.New("it is a directory, not a tar")
	}
	if info.Mode().IsRegular() && rootfs.Compression(head[:n]) == "" {
		return f, nil
	}
	defer f.Close()
	return unpackArchive(ctx, o, f, info.Size(), dir)
}

// unpackArchive brings a tar, decompressed, into a file that is gone when it is
// closed. The tar has so many bytes as it comes, or 0 where that is not known.
// Where ctx ends, packed may still be in use for a moment: nothing interrupts
// the reading of standard input.
func unpackArchive(ctx context.Context, o PullOptions, packed io.Reader, size int64, dir string) (*os.File, error) {
	f, err := unnamed(dir)
	if err != nil {
		return nil, err
	}
	packed = newMeter(o.Progress, "decompress", size).reader(packed)
	unpacked := make(chan error, 1)
	go func() { unpacked <- unpackTo(f, interruptible{ctx, packed}, o.Limits) }()
	select {
	case err = <-unpacked:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f.File, nil
}

func unpackTo(f *roomyFile, packed io.Reader, limits Limits) error {
	r, err := rootfs.Decompress(packed)
	if err != nil {
		return err
	}
	defer r.Close()
	limit := cmp.Or(limits.Size, math.MaxInt64-1)
	n, err := io.Copy(struct{ io.Writer }{f}, io.LimitReader(r, limit+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is truncated")
	case err != nil:
		return plain(err)
	case n > limit:
		return &rootfs.LimitError{What: "bytes", Limit: limit}
	}
	return nil
}

func (a *archiveParts) index(ctx context.Context) error {
	end := int64(0) // of the newest entry
	for r := tar.NewReader(a.file); ; {
		hdr, err := r.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, tar.ErrHeader) && a.zerosAt(end):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("it is truncated, or not a tar")
		case err != nil:
			return fmt.Errorf("it is not a tar%s", otherwise(a.file))
		case ctx.Err() != nil:
			return ctx.Err()
		}
		// archive/tar reads a file without a buffer of its own.
		start, err := a.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		end = start
		if hdr.Typeflag == tar.TypeReg {
			end += (hdr.Size + tarBlock - 1) / tarBlock * tarBlock
		}
		if err := a.add(hdr, start); err != nil {
			return err
		}
	}
}

const tarBlock = 512

// zerosAt reports whether a block of zeros is there: one is an end for GNU tar.
func (a *archiveParts) zerosAt(end int64) bool {
	var block [tarBlock]byte
	n, _ := a.file.ReadAt(block[:], end)
	return n == len(block) && block == [tarBlock]byte{}
}

// add notes where an entry's content is, or which other's it is.
func (a *archiveParts) add(hdr *tar.Header, start int64) error {
	if len(hdr.Name) > maxPartName || len(hdr.Linkname) > maxPartName {
		return nil // no part of an image
	}
	if len(a.at)+len(a.links) >= maxParts {
		return fmt.Errorf("it has more than %d files", maxParts)
	}
	name := partName(hdr.Name)
	switch hdr.Typeflag {
	case tar.TypeReg:
		a.at[name] = io.NewSectionReader(a.file, start, hdr.Size)
		delete(a.links, name)
	case tar.TypeLink:
		if to := partName(hdr.Linkname); to != name {
			a.links[name] = to
		}
	case tar.TypeSymlink: // as old versions of docker save share layers
		to := hdr.Linkname
		if !strings.HasPrefix(to, "/") {
			to = path.Join("/", path.Dir(name), to)
		}
		a.links[name] = partName(to)
	}
	return nil
}

// partName is a name as it is below the archive's root.
func partName(name string) string { return path.Clean("/" + name)[1:] }

func (a *archiveParts) open(name string) (part, error) {
	at := partName(name)
	for range maxPartLinks {
		to, isLink := a.links[at]
		if !isLink {
			break
		}
		at = to
	}
	section, ok := a.at[at]
	if _, isLink := a.links[at]; isLink || !ok {
		return part{}, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return part{io.NewSectionReader(section, 0, section.Size()), io.NopCloser(nil)}, nil
}

func (a *archiveParts) Close() error { return a.file.Close() }
