package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

const (
	// scanners is how many layers are opened and read at the same time.
	scanners = 4
	// batch is how many entries go from a scanner to the tree at once.
	batch = 512
)

// Merge is the Stream of layers on top of each other, the base first: what a
// runtime that unpacks them one over the other ends up with. A name comes once
// at the most; directories come first, and a directory that no layer lists has
// the mode 0755 and the time 0.
//
// Layers are read twice, both times to their end: once to learn what wins and
// once for the content, so that nothing hidden is ever written. The error is a
// *LimitError where they hold more than they may.
func Merge(ctx context.Context, layers []Layer, limits Limits) Stream {
	return func(yield func(*tar.Header, io.Reader) error) error {
		if limits.Layers > 0 && len(layers) > limits.Layers {
			return &LimitError{"layers", int64(limits.Layers)}
		}
		t, err := scan(ctx, layers, &budget{limits: limits})
		if err != nil {
			return err
		}
		if err := t.root.yieldDirs(yield); err != nil {
			return err
		}
		again := &budget{limits: limits} // the layers might be others now
		for i, l := range layers {
			if err := t.yieldFiles(ctx, l, again, t.files[i], yield); err != nil {
				return err
			}
		}
		return nil
	}
}

// scan reads all layers, several at a time, and applies them in order.
func scan(ctx context.Context, layers []Layer, b *budget) (*tree, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(scanners + 1)
	lists := make([]chan []record, len(layers))
	for i := range lists {
		lists[i] = make(chan []record, 64)
	}
	t := newTree(len(layers))
	group.Go(func() error {
		for i, list := range lists {
			t.layer = int32(i)
			if err := t.applyAll(ctx, list); err != nil {
				return layers[i].fault(err)
			}
		}
		return nil
	})
	for i, l := range layers {
		group.Go(func() error { return l.list(ctx, b, lists[i]) })
	}
	err := group.Wait()
	t.dropAUFS()
	return t, err
}

// applyAll applies what the current layer lists.
func (t *tree) applyAll(ctx context.Context, list <-chan []record) error {
	for {
		select {
		case records, more := <-list:
			if !more {
				return nil
			}
			for _, r := range records {
				if err := t.apply(r); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// list sends what a layer holds, and closes the channel if that was all.
func (l Layer) list(ctx context.Context, b *budget, to chan<- []record) error {
	src, err := l.open(ctx)
	if err != nil {
		return l.fault(err)
	}
	defer src.Close()
	var records []record
	send := func() error {
		select {
		case to <- records:
			records = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a := &archive{src: src, budget: b}
	err = a.each(func(hdr *tar.Header, _ io.Reader) error {
		records = append(records, newRecord(hdr))
		if len(records) < batch {
			return nil
		}
		return send()
	})
	if err == nil {
		err = send()
	}
	if err != nil {
		return l.fault(err)
	}
	close(to)
	return nil
}

// yieldFiles yields what the layer's entries still stand for.
func (t *tree) yieldFiles(ctx context.Context, l Layer, b *budget, files []*file, yield func(*tar.Header, io.Reader) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a := &archive{src: readAhead(ctx, func() (io.ReadCloser, error) { return l.open(ctx) }), budget: b}
	var fromYield error
	err := a.each(func(hdr *tar.Header, content io.Reader) error {
		if a.entries > len(files) {
			return errors.New("it changed while it was read")
		}
		if f := files[a.entries-1]; f != nil {
			files[a.entries-1] = nil
			fromYield = f.yield(hdr, content, yield)
		}
		return fromYield
	})
	if err == nil || errors.Is(err, fromYield) {
		return err
	}
	return l.fault(err)
}

// yield yields a file under its first name and hard links for the others.
func (f *file) yield(hdr *tar.Header, content io.Reader, yield func(*tar.Header, io.Reader) error) error {
	hdr.Name = f.names[0].path()
	if err := yield(hdr, content); err != nil {
		return err
	}
	for _, n := range f.names[1:] {
		link := &tar.Header{Typeflag: tar.TypeLink, Name: n.path(), Linkname: hdr.Name}
		if err := yield(link, noContent); err != nil {
			return err
		}
	}
	return nil
}

func (l Layer) fault(err error) error { return fmt.Errorf("layer %s: %w", l.Name, err) }
