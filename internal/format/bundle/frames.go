package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxFrame is how many bytes a frame may hold that is decoded beside others,
	// and about how many it may take in the stream. It is what Pack puts into one:
	// a kernel's bundle is 2.5 % larger than as one frame, and unpacked in less time
	// and memory than by frames of 8 MiB.
	maxFrame = 2 << 20
	// maxBeside is how many frames are decoded at a time, at the most.
	maxBeside = 4
	// decoders is how many blocks of one long frame are worked on at a time,
	// whatever the number of processors: with fewer, its stages wait for each other.
	decoders = 8
)

// frames decompresses a zstd stream. Frames that say how much they hold, and hold
// little, are decoded beside each other: where each ends is found without decoding
// it. From the first other frame on the stream is decoded in one go.
type frames struct {
	pieces chan chan piece // in the stream's order
	closed chan struct{}
	cut    chan struct{} // closed when nobody reads the source any more
	spent  sync.Pool     // *bytes.Buffer of frames and pieces that are done with
	piece  *bytes.Buffer // what is left of the one that is being read
	rest   *zstd.Decoder // of all that follows, once that has been reached
	err    error
}

// piece is what a frame holds, or what decodes it and all that follow, or why there
// is none.
type piece struct {
	data *bytes.Buffer
	rest io.Reader
	err  error
}

func newFrames(source io.Reader) (*frames, error) {
	beside := min(runtime.GOMAXPROCS(0), maxBeside)
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(beside),
		zstd.WithDecoderMaxMemory(maxFrame), zstd.WithDecoderMaxWindow(maxFrame), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	f := &frames{
		pieces: make(chan chan piece, beside), closed: make(chan struct{}), cut: make(chan struct{}),
	}
	go func() {
		defer close(f.cut)
		defer close(f.pieces)
		f.cutAll(bufio.NewReaderSize(source, 64<<10), decoder)
	}()
	return f, nil
}

// cutAll cuts the source into frames and has each decoded, as long as somebody reads.
func (f *frames) cutAll(source *bufio.Reader, decoder *zstd.Decoder) {
	for {
		frame := f.buffer()
		size, err := cutFrame(source, frame)
		promised := make(chan piece, 1)
		select {
		case f.pieces <- promised:
		case <-f.closed:
			return
		}
		switch {
		case errors.Is(err, errUncut):
			promised <- piece{rest: io.MultiReader(frame, source)}
			return
		case err != nil:
			promised <- piece{err: err}
			return
		}
		go func() {
			defer f.spend(frame)
			data := f.buffer()
			data.Grow(size)
			decoded, err := decoder.DecodeAll(frame.Bytes(), data.AvailableBuffer())
			data.Write(decoded)
			promised <- piece{data: data, err: err}
		}()
	}
}

func (f *frames) buffer() *bytes.Buffer {
	if b, ok := f.spent.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return new(bytes.Buffer)
}

func (f *frames) spend(b *bytes.Buffer) {
	if b != nil {
		f.spent.Put(b)
	}
}

func (f *frames) Read(p []byte) (int, error) {
	for (f.piece == nil || f.piece.Len() == 0) && f.rest == nil && f.err == nil {
		f.err = f.next()
	}
	switch {
	case f.err == nil && f.rest == nil:
		return f.piece.Read(p)
	case f.rest != nil:
		return f.rest.Read(p)
	}
	return 0, f.err
}

// next takes the next piece.
func (f *frames) next() error {
	f.spend(f.piece)
	f.piece = nil
	promised, open := <-f.pieces
	if !open {
		return io.ErrClosedPipe
	}
	next := <-promised
	if next.err != nil {
		return next.err
	}
	if next.rest == nil {
		f.piece = next.data
		return nil
	}
	var err error
	f.rest, err = zstd.NewReader(next.rest, zstd.WithDecoderMaxWindow(maxWindow),
		zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderConcurrency(decoders), zstd.WithDecoderLowmem(true))
	return err
}

// Close ends the reading of the source.
func (f *frames) Close() {
	close(f.closed)
	<-f.cut
	if f.rest != nil {
		f.rest.Close()
	}
}

// errUncut says that a frame is not one to be decoded beside others.
var errUncut = errors.New("not a small frame")

// cutFrame takes a frame from the source into cut, which is empty, and returns how many
// bytes it holds. With errUncut cut has not the whole of a frame; io.EOF is the end
// between two. See RFC 8878, 3.1.1.
func cutFrame(source *bufio.Reader, cut *bytes.Buffer) (size int, err error) {
	begin, err := source.Peek(zstd.HeaderMaxSize)
	if len(begin) == 0 {
		return 0, err
	}
	var header zstd.Header
	if header.Decode(begin) != nil || header.Skippable || !header.HasFCS || header.FrameContentSize > maxFrame || header.WindowSize > maxFrame {
		return 0, errUncut
	}
	if _, err := io.CopyN(cut, source, int64(header.HeaderSize)); err != nil {
		return 0, errUncut
	}
	for last := false; !last; {
		var block int64
		if last, block, err = cutBlock(source, cut); err != nil {
			return 0, errUncut
		}
		if last && header.HasCheckSum {
			block += 4
		}
		if _, err := io.CopyN(cut, source, block); err != nil || cut.Len() > maxFrame+maxFrame/8 {
			return 0, errUncut
		}
	}
	return int(header.FrameContentSize), nil
}

// cutBlock takes the header of a block, and tells how many bytes follow.
func cutBlock(source io.Reader, cut *bytes.Buffer) (last bool, follow int64, err error) {
	if _, err := io.CopyN(cut, source, 3); err != nil {
		return false, 0, err
	}
	head := cut.Bytes()[cut.Len()-3:]
	fields := uint32(head[0]) | uint32(head[1])<<8 | uint32(head[2])<<16
	const runLength = 1 // the type of a block that repeats one byte
	follow = int64(fields >> 3)
	if fields>>1&3 == runLength {
		follow = 1
	}
	return fields&1 != 0, follow, nil
}
