package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
)

// compressAll writes frames to w, of pieces of r in its order. As many are
// compressed at a time as there are processors, and no more are kept than are
// decoded beside each other.
func compressAll(ctx context.Context, w io.Writer, r io.Reader, compress Compressor) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	frames := make(chan chan piece, min(runtime.GOMAXPROCS(0), maxBeside)-1)
	go func() {
		defer close(frames)
		for data := make([]byte, maxFrame); ; data = make([]byte, maxFrame) {
			n, err := io.ReadFull(r, data)
			if n == 0 && errors.Is(err, io.EOF) {
				return
			}
			frame := make(chan piece, 1)
			select {
			case frames <- frame:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				frame <- piece{err: err}
				return
			}
			go func() {
				compressed, err := compress(ctx, data[:n])
				frame <- piece{data: bytes.NewBuffer(compressed), err: err}
			}()
		}
	}()
	for promised := range frames {
		frame := <-promised
		if frame.err != nil {
			return frame.err
		}
		if _, err := frame.data.WriteTo(w); err != nil {
			return err
		}
	}
	return ctx.Err()
}
