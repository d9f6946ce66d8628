package rootfs

import (
	"context"
	"errors"
	"io"
)

const (
	chunkSize = 1 << 18
	chunks    = 4
)

// ahead reads a source in a goroutine of its own, a little ahead of its
// reader, so that decompressing and writing share the work of two cores and a
// source that gives nothing, a terminal for instance, can be left.
type ahead struct {
	ctx     context.Context
	full    chan chunk
	free    chan []byte
	current chunk
	rest    []byte
}

type chunk struct {
	data []byte
	err  error
}

// readAhead opens a source and reads it until it or ctx ends. Once the reader
// has seen the source's end, the goroutine touches it no more.
func readAhead(ctx context.Context, open func() (io.ReadCloser, error)) *ahead {
	a := &ahead{ctx: ctx, full: make(chan chunk, chunks), free: make(chan []byte, chunks)}
	for range chunks {
		a.free <- nil
	}
	go func() {
		src, err := open()
		if err != nil {
			a.full <- chunk{err: err}
			return
		}
		a.run(src)
	}()
	return a
}

func (a *ahead) run(src io.ReadCloser) {
	var err error
	for err == nil {
		var buf []byte
		select {
		case buf = <-a.free:
		case <-a.ctx.Done():
			src.Close()
			return
		}
		if buf == nil {
			buf = make([]byte, chunkSize)
		}
		var n int
		if n, err = fill(src, buf[:chunkSize]); err != nil {
			if closed := src.Close(); errors.Is(err, io.EOF) && closed != nil {
				err = closed
			}
		}
		a.full <- chunk{buf[:n], err} // has room for every buffer
	}
}

// fill is io.ReadFull that leaves the source's errors as they are.
func fill(src io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = src.Read(buf[n:])
		n += k
	}
	return n, err
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.current.err != nil {
			return 0, a.current.err
		}
		if a.current.data != nil {
			a.free <- a.current.data
			a.current.data = nil
		}
		if err := a.ctx.Err(); err != nil {
			return 0, err
		}
		select {
		case a.current = <-a.full:
			a.rest = a.current.data
		case <-a.ctx.Done():
			return 0, a.ctx.Err()
		}
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}
