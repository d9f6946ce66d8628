package tarfile

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
)

// Reader reads a tar.
type Reader struct {
	tar    *tar.Reader
	filter *filter
	global global
	now    *File
}

// NewReader returns a reader of the tar in r, of which it reads no more than
// archive/tar does.
func NewReader(r io.Reader) *Reader {
	f := &filter{src: r, maxMap: maxMap}
	return &Reader{tar: tar.NewReader(f), filter: f}
}

// LimitRanges makes the reader refuse files with more ranges of data than a Writer
// writes: a map of as many as the format allows takes much memory.
func (r *Reader) LimitRanges() { r.filter.maxMap = writtenMap }

// Next goes on to the next entry, as that of a tar.Reader. A sparse file has the
// size and the name that it had on disk.
func (r *Reader) Next() (*tar.Header, error) {
	r.now = nil
	hdr, err := r.tar.Next()
	if err != nil {
		return nil, err
	}
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		r.now = &File{packed: r.tar} // archive/tar has read it
		return hdr, r.global.add(hdr.PAXRecords)
	}
	stored := hdr.Size
	if headerOnly(hdr.Typeflag) {
		stored = 0
	}
	r.filter.raw = padded(stored)
	if err := r.open(hdr, stored); err != nil {
		return nil, fault(hdr.Name, err)
	}
	if err := r.global.apply(hdr); err != nil {
		return nil, fault(hdr.Name, err)
	}
	textToAttributes(hdr.PAXRecords)
	decodeKeys(hdr.PAXRecords)
	return hdr, nil
}

// File is the content of the entry.
func (r *Reader) File() *File { return r.now }

// Drain reads what the tar still has of the entry.
func (r *Reader) Drain() error { return r.now.discard() }

// open prepares an entry's content of which so many bytes are in the tar.
func (r *Reader) open(hdr *tar.Header, stored int64) (err error) {
	found := r.filter.takeSparse()
	maps.DeleteFunc(hdr.PAXRecords, func(key, _ string) bool { return strings.HasPrefix(key, hiddenPrefix) })
	data := []Range{{0, stored}}
	switch {
	case found == nil:
		if headerOnly(hdr.Typeflag) {
			r.now = &File{packed: r.tar}
			return nil
		}
	case headerOnly(hdr.Typeflag):
		return errors.New("it is sparse and no file")
	default:
		if data, err = found.ranges(r.tar, r.filter.maxMap); err != nil {
			return err
		}
		if hdr.Size, err = found.realSize(hdr.Size); err != nil {
			return err
		}
		if name := found.records["name"]; name != "" {
			hdr.Name = name
		}
		stored -= found.mapSize
	}
	if r.now, err = NewFile(hdr.Size, data, r.tar); err != nil {
		return err
	}
	if have := sum(r.now.data); have != stored {
		return fmt.Errorf("a sparse file of %d bytes of data has %d", have, stored)
	}
	return nil
}

func headerOnly(kind byte) bool {
	switch kind {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		return true
	}
	return false
}
