// Package tarfile reads and writes tars with what archive/tar cannot tell of:
// the holes of files, extended attributes whose names have "=" in them, access
// control lists that are text, and what global headers say of all entries.
//
// A hole costs nothing, whatever its size: neither a byte of a tar that is
// written nor the time to read zeros. GNU tar's sparse forms are read, the old
// one and 0.0, 0.1 and 1.0 of its PAX records; 1.0 is written. The package
// knows of files, and of none of the places where they are.
package tarfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Range is where data is in a file; what is in no range is a hole.
type Range struct{ Offset, Length int64 }

func (r Range) end() int64 { return r.Offset + r.Length }

// File is a file's content, which may have holes. It is read once.
type File struct {
	size   int64
	data   []Range   // from at on
	packed io.Reader // the ranges' content, one behind the other
	at     int64

	endsInData bool
}

// NewFile returns a file with the given ranges of data, whose content is in
// packed, one behind the other.
func NewFile(size int64, data []Range, packed io.Reader) (*File, error) {
	data, err := joined(size, data)
	ends := len(data) > 0 && data[len(data)-1].end() == size
	return &File{size: size, data: data, packed: packed, endsInData: ends}, err
}

// joined checks that ranges are in order and inside a file, and joins those that
// touch.
func joined(size int64, data []Range) ([]Range, error) {
	var all []Range
	end := int64(0)
	for _, r := range data {
		if r.Offset < end || r.Length < 0 || r.Length > size-r.Offset {
			return nil, errors.New("the ranges of a sparse file are not in order, or not in the file")
		}
		last := len(all) - 1
		switch end = r.end(); {
		case r.Length == 0:
		case last >= 0 && all[last].end() == r.Offset:
			all[last].Length += r.Length
		default:
			all = append(all, r)
		}
	}
	return all, nil
}

// Read reads what is next: data, or a hole's zeros.
func (f *File) Read(p []byte) (int, error) {
	if f.at == f.size {
		return 0, io.EOF
	}
	if hole := f.hole(); hole > 0 {
		p = p[:min(int64(len(p)), hole)]
		clear(p)
		f.at += int64(len(p))
		return len(p), nil
	}
	p = p[:min(int64(len(p)), f.data[0].Length)]
	n, err := f.packed.Read(p)
	f.take(int64(n))
	if errors.Is(err, io.EOF) {
		err = nil
		if n == 0 && len(p) > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// take notes that data was read.
func (f *File) take(n int64) {
	f.at += n
	r := &f.data[0]
	r.Offset, r.Length = r.Offset+n, r.Length-n
	if r.Length == 0 {
		f.data = f.data[1:]
	}
}

// Stored is how much data the file has that was not read yet, without its holes.
func (f *File) Stored() int64 { return sum(f.data) }

// hole returns how much of a hole is next.
func (f *File) hole() int64 {
	if len(f.data) == 0 {
		return f.size - f.at
	}
	return f.data[0].Offset - f.at
}

// SkipHole passes over as many blocks of the given size as are next and wholly
// in a hole, and returns how many bytes that is.
func (f *File) SkipHole(block int64) int64 {
	n := f.hole() / block * block
	f.at += n
	return n
}

// SkipHole is File.SkipHole for a reader that may be one, or pass on to one.
func SkipHole(r io.Reader, block int64) int64 {
	if f, ok := r.(interface{ SkipHole(block int64) int64 }); ok {
		return f.SkipHole(block)
	}
	return 0
}

// Save writes the file to dst, which is empty, with its holes.
func (f *File) Save(dst *os.File) error {
	for f.at < f.size {
		if f.SkipHole(1) > 0 {
			continue
		}
		to := io.NewOffsetWriter(dst, f.at)
		if _, err := io.CopyN(to, f, f.data[0].Length); err != nil {
			return err
		}
	}
	if f.endsInData {
		return nil // which has given it its size
	}
	return dst.Truncate(f.size)
}

// discard reads what is left of the data.
func (f *File) discard() error {
	_, err := io.Copy(io.Discard, f.packed)
	return err
}

// sum is how long ranges are together.
func sum(data []Range) int64 {
	var n int64
	for _, r := range data {
		n += r.Length
	}
	return n
}

// fault names a file in an error.
func fault(name string, err error) error { return fmt.Errorf("%q: %w", name, err) }
