package imagemgr

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"banger/internal/digest"
	"banger/internal/format/rootfs"
	"banger/internal/statedir"
)

// layer is one layer of an image. It is read twice. Decompressing anything but
// zstd is most of the work of a pull, so that the first reading keeps what it
// decompressed in a file without a name for the second.
type layer struct {
	name   string // its digest, or its file
	size   int64  // compressed, in bytes
	diffID v1.Hash
	open   func(context.Context) (part, error)

	kept     *roomyFile
	unpacked int64 // the size decompressed, once it was read and found right
	checked  bool
}

// source makes the layers' root filesystem a source. What is kept meanwhile is
// in dir.
func (i *ociImage) source(ctx context.Context, dir string, limits Limits, progress Progress) *source {
	unpack, write := newMeter(progress, "unpack", 0), newMeter(progress, "write", 0)
	if i.fetched {
		unpack = &meter{} // the fetching is what is told of
	}
	for _, l := range i.layers {
		unpack.total += l.size
	}
	var list []rootfs.Layer
	for _, l := range i.layers {
		list = append(list, rootfs.Layer{Name: l.name, Open: func() (io.ReadCloser, error) {
			if !l.checked {
				return l.first(ctx, dir, unpack)
			}
			return l.again(ctx, write)
		}})
	}
	return &source{
		entries: func(yield func(*tar.Header, io.Reader) error) error {
			defer i.close()
			return rootfs.Merge(ctx, list, limits.unpacked())(yield)
		},
		digest: func() string { return i.digest },
		seed:   i.diffIDs,
		config: i.config.honoured(),
	}
}

// diffIDs identify the root filesystem, wherever the image came from.
func (i *ociImage) diffIDs() string {
	var ids []string
	for _, l := range i.layers {
		ids = append(ids, l.diffID.String())
	}
	return strings.Join(ids, " ")
}

// checkRoom checks that there is room in dir for what the layers take at the
// least.
func (i *ociImage) checkRoom(dir string) error {
	var total int64
	for _, l := range i.layers {
		total += l.size
	}
	return statedir.CheckSpace(dir, total)
}

func (i *ociImage) close() {
	for _, l := range i.layers {
		if l.kept != nil {
			l.kept.Close()
		}
	}
	if i.from != nil {
		i.from.Close()
	}
}

// first opens the layer for the first time.
func (l *layer) first(ctx context.Context, dir string, m *meter) (io.ReadCloser, error) {
	p, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	sum, err := digest.New(l.diffID)
	if err != nil {
		p.Close()
		return nil, err
	}
	r := &firstReading{layer: l, packed: p, sum: sum}
	var head [rootfs.HeadSize]byte
	n, _ := p.ReadAt(head[:], 0)
	if format := rootfs.Compression(head[:n]); format != "" && format != "zstd" {
		if r.keep, err = unnamed(dir); err != nil {
			p.Close()
			return nil, err
		}
	}
	if r.ReadCloser, err = rootfs.DecompressLayer(m.reader(p)); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// firstReading checks a layer and keeps what it was.
type firstReading struct {
	io.ReadCloser
	layer  *layer
	packed io.Closer
	sum    digest.Checker
	size   int64
	keep   *roomyFile
}

func (r *firstReading) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.size += int64(n)
	r.sum.Write(p[:n])
	if r.keep != nil {
		if _, err := r.keep.Write(p[:n]); err != nil {
			return n, plain(err)
		}
	}
	if errors.Is(err, io.EOF) && !r.layer.checked {
		if wrong := r.done(); wrong != nil {
			return n, wrong
		}
	}
	return n, err
}

func (r *firstReading) done() error {
	if err := r.sum.Verify(); err != nil {
		return err
	}
	r.layer.checked, r.layer.unpacked = true, r.size
	r.layer.kept, r.keep = r.keep, nil
	return nil
}

func (r *firstReading) Close() error {
	if r.keep != nil {
		r.keep.Close()
	}
	if r.ReadCloser != nil {
		r.ReadCloser.Close()
	}
	return r.packed.Close()
}

// again opens the layer for the second time.
func (l *layer) again(ctx context.Context, m *meter) (io.ReadCloser, error) {
	if l.kept != nil {
		return io.NopCloser(m.reader(io.NewSectionReader(l.kept, 0, l.unpacked))), nil
	}
	p, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	r, err := rootfs.DecompressLayer(p)
	if err != nil {
		p.Close()
		return nil, err
	}
	return &secondReading{m.reader(r), r, p}, nil
}

type secondReading struct {
	io.Reader
	plain, packed io.Closer
}

func (r *secondReading) Close() error { return errors.Join(r.plain.Close(), r.packed.Close()) }

// unnamed makes a file that is gone when it is closed, also by a crash.
func unnamed(dir string) (*roomyFile, error) {
	f, err := os.CreateTemp(dir, "layer-")
	if err != nil {
		return nil, plain(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, plain(err)
	}
	return newRoomyFile(f, dir), nil
}
