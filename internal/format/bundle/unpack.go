package bundle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// maxPadding is the most that may follow an archive's end, all of it zeros:
// tar fills up its last record, of 10 KiB where nobody asks for larger ones.
const maxPadding = 1 << 20

// overhead is what an entry may take in the stream beside its content.
const overhead = 4 << 10

// Unpack writes what the .tar.zst stream r holds below root, which is empty,
// and returns the plain files in the archive's order. It reads r to its end.
//
// A bundle that is refused gives an *Error; what r returns is passed on. After
// an error root holds a part of the bundle, for the caller to delete.
func Unpack(ctx context.Context, r io.Reader, root *os.Root, o Options) ([]File, error) {
	source := &source{ctx: ctx, r: r}
	frames, err := newFrames(source)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	stream := &stream{r: frames, left: o.maxBytes() + overhead*int64(o.maxEntries())}
	w := newWriter(root, o)
	err = w.writeAll(tar.NewReader(stream), stream)
	frames.Close() // nobody writes source.err any more
	if source.err != nil {
		return nil, source.err // what the stream's consumers make of it says less
	}
	if err != nil {
		return nil, err
	}
	return w.files, nil
}

// source is the compressed stream. It keeps the error that ended it, and ends
// with its context.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// stream is the decompressed stream. It turns what is wrong with it into an
// *Error.
type stream struct {
	r     io.Reader
	left  int64 // bytes that may still come
	begun bool
	ended bool // r has returned io.EOF
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.begun = s.begun || n > 0
	if s.left -= int64(n); s.left < 0 {
		return 0, errTooLarge
	}
	if err == nil {
		return n, nil
	}
	if n > 0 {
		return n, nil // the error comes again
	}
	s.ended = err == io.EOF
	return 0, s.explain(err)
}

var (
	errTooLarge = &Error{"", "unpacks to more bytes than it may"}
	errShort    = &Error{"", "is cut short"}
	errTrailing = &Error{"", "has data behind the archive's end"}
)

func (s *stream) explain(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errShort
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return &Error{"", fmt.Sprintf("needs a zstd window of more than %d MiB", maxWindow>>20)}
	case errors.Is(err, zstd.ErrMagicMismatch) && s.begun:
		return errTrailing
	case errors.Is(err, zstd.ErrMagicMismatch):
		return &Error{"", "is not compressed with zstd"}
	}
	return &Error{"", "is damaged: " + err.Error()}
}

// writeAll writes every entry of archive, which reads from s, and checks that
// the archive ends as it should.
func (w *writer) writeAll(archive *tar.Reader, s *stream) error {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return checkEnd(s)
		}
		if err == nil {
			err = w.write(header, archive)
		}
		if err != nil {
			return archiveError(err, s)
		}
	}
}

// archiveError makes an *Error of those of package tar.
func archiveError(err error, s *stream) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errShort
	case errors.Is(err, tar.ErrHeader) && s.begun:
		return &Error{"", "is no whole tar archive: it has an entry that cannot be read"}
	}
	return err
}

// checkEnd reads what follows an archive's end, and reports whether that was an
// end: package tar takes a stream that stops between two entries for one too.
func checkEnd(s *stream) error {
	if s.ended {
		return errShort
	}
	buffer := make([]byte, 32<<10)
	for total := 0; ; {
		n, err := s.Read(buffer)
		total += n
		if !allZero(buffer[:n]) || total > maxPadding {
			return errTrailing
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
