package rootfs

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipReader reads the members of gzip data, one after another, and zeros
// around them, which tapes, and tools that write in blocks, leave there. It ends
// where something else follows, as gzip does: signatures for instance.
type gzipReader struct {
	in     *bufio.Reader
	member *gzip.Reader // nil at the end
}

func openGzip(r *bufio.Reader) (io.ReadCloser, error) {
	member, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &gzipReader{r, member}, nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for g.member != nil {
		n, err := g.member.Read(p)
		if errors.Is(err, io.EOF) {
			err = g.next()
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, io.EOF
}

// next begins the next member, if there is one.
func (g *gzipReader) next() error {
	switch err := skipZeros(g.in); {
	case errors.Is(err, io.EOF):
		g.member = nil
		return nil
	case err != nil:
		return err
	}
	err := g.member.Reset(g.in)
	if errors.Is(err, gzip.ErrHeader) {
		g.member = nil
		return nil
	}
	g.member.Multistream(false)
	return err
}

// Close does nothing: there is nothing to free.
func (g *gzipReader) Close() error { return nil }

// skipZeros reads up to the first byte that is not zero. The error is io.EOF
// where there is none.
func skipZeros(r *bufio.Reader) error {
	for {
		if _, err := r.Peek(1); err != nil {
			return err
		}
		data, _ := r.Peek(r.Buffered())
		rest := bytes.TrimLeft(data, "\x00")
		if _, err := r.Discard(len(data) - len(rest)); err != nil || len(rest) > 0 {
			return err
		}
	}
}
