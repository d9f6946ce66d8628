package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
)

// Layer is one layer of an OCI image: a tar, plain or compressed. Open is
// called twice, the second time after every layer was read to its end.
type Layer struct {
	Name string // for errors
	Open func() (io.ReadCloser, error)
}

// open opens and decompresses the layer; reading ends with ctx.
func (l Layer) open(ctx context.Context) (io.ReadCloser, error) {
	raw, err := l.Open()
	if err != nil {
		return nil, err
	}
	plain, err := DecompressLayer(interruptible{ctx, raw})
	if err != nil {
		raw.Close()
		return nil, err
	}
	return &opened{plain, raw}, nil
}

// DecompressLayer is Decompress for layers: one without a byte is one without an
// entry, as some tools write them for steps that change no file.
func DecompressLayer(r io.Reader) (io.ReadCloser, error) {
	plain, err := Decompress(r)
	if errors.Is(err, ErrEmpty) {
		return io.NopCloser(noContent), nil
	}
	return plain, err
}

// opened closes what it reads from too.
type opened struct {
	io.ReadCloser
	raw io.Closer
}

func (o *opened) Close() error {
	o.ReadCloser.Close()
	return o.raw.Close()
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// record is what the tree has to know of an entry.
type record struct {
	name, target string
	kind         byte
	meta         *tar.Header // directories only
}

func newRecord(hdr *tar.Header) record {
	r := record{name: hdr.Name, target: hdr.Linkname, kind: hdr.Typeflag}
	if hdr.Typeflag == tar.TypeDir {
		r.meta = &tar.Header{
			Mode: hdr.Mode, Uid: hdr.Uid, Gid: hdr.Gid,
			ModTime: hdr.ModTime, AccessTime: hdr.AccessTime, ChangeTime: hdr.ChangeTime,
			PAXRecords: xattrsOf(hdr.PAXRecords),
		}
	}
	return r
}

// xattrsOf returns of an entry's records the extended attributes: the others may
// be long, and say nothing that the header does not.
func xattrsOf(records map[string]string) map[string]string {
	kept := maps.Clone(records)
	maps.DeleteFunc(kept, func(key, _ string) bool { return !isXattr(key) })
	return kept
}

// noContent is the content of what has none.
var noContent io.Reader = strings.NewReader("")
