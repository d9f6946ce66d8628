package packed

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// sampled is how often blocks are compressed while that does not pay: one of so
// many, to see whether it does by now.
const sampled = 16

// Writer writes bytes as blocks. Whether compressing pays is seen from the blocks
// before: how much smaller they became, how long that took, and how long the
// others took to be taken.
type Writer struct {
	dst     io.Writer
	encoder *zstd.Encoder
	block   []byte // room for the head, and what was not written yet
	packed  []byte
	pay     pay
}

// NewWriter returns a writer of a stream to w. The caller ends it by Close.
func NewWriter(w io.Writer) *Writer {
	return &Writer{dst: w, block: make([]byte, headSize, headSize+maxBlock), pay: pay{now: time.Now}}
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), headSize+maxBlock-len(w.block))
		w.block = append(w.block, p[:n]...)
		p, written = p[n:], written+n
		if len(w.block) == headSize+maxBlock {
			if err := w.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// Close writes what is left, and the end. What the stream goes to stays open.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.write(kindEnd, w.block[:headSize])
}

func (w *Writer) flush() error {
	plain := w.block
	size := len(plain) - headSize
	if size == 0 {
		return nil
	}
	w.block = w.block[:headSize]
	kind, out := byte(kindPlain), plain
	if w.pay.worthIt() {
		if err := w.open(); err != nil {
			return err
		}
		begun := w.pay.now()
		w.packed = w.encoder.EncodeAll(plain[headSize:], w.packed[:headSize])
		w.pay.packed(size, len(w.packed)-headSize, w.pay.now().Sub(begun))
		if len(w.packed) < len(plain)-size/16 {
			kind, out = kindZstd, w.packed
		}
	}
	begun := w.pay.now()
	err := w.write(kind, out)
	w.pay.sent(len(out), w.pay.now().Sub(begun))
	return err
}

func (w *Writer) open() (err error) {
	if w.encoder == nil {
		w.packed = make([]byte, headSize, headSize+maxBlock)
		w.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxBlock))
	}
	return err
}

// write writes a block that has room for its head.
func (w *Writer) write(kind byte, block []byte) error {
	block[0] = kind
	binary.BigEndian.PutUint32(block[1:], uint32(len(block)-headSize))
	_, err := w.dst.Write(block)
	return err
}

// pay is what is known of what compressing costs and saves.
type pay struct {
	now       func() time.Time
	blocks    int     // since the last one that was compressed
	ratio     float64 // what is left of a byte; 0 is unknown
	packing   float64 // seconds for a byte
	sending   float64
	sentBytes int // in all, up to enough to know what sending takes
}

// enough is how many bytes are to be sent before how long they took counts: the
// first go into buffers on the way.
const enough = 2 << 20

// worthIt reports whether the next block is to be compressed.
func (p *pay) worthIt() bool {
	switch {
	case p.ratio == 0:
	case p.ratio > 0.9, p.sentBytes >= enough && p.packing+p.ratio*p.sending > p.sending:
		if p.blocks++; p.blocks < sampled {
			return false
		}
	}
	p.blocks = 0
	return true
}

func (p *pay) packed(before, after int, took time.Duration) {
	p.ratio = mix(p.ratio, float64(after)/float64(before))
	p.packing = mix(p.packing, took.Seconds()/float64(before))
}

func (p *pay) sent(n int, took time.Duration) {
	p.sentBytes = min(p.sentBytes+n, enough)
	p.sending = mix(p.sending, took.Seconds()/float64(n))
}

// mix is a mean in which what was long ago counts for little.
func mix(mean, value float64) float64 {
	if mean == 0 {
		return value
	}
	return mean*0.75 + value*0.25
}
