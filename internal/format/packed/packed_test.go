package packed

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"
)

// pack writes all of data, in pieces of the given size.
func pack(t testing.TB, data []byte, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for len(data) > 0 {
		n := min(piece, len(data))
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func random(n int) []byte {
	data := make([]byte, n)
	rand.Read(data)
	return data
}

func TestRoundTrip(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":         nil,
		"a byte":          {7},
		"a block":         random(maxBlock),
		"a byte more":     random(maxBlock + 1),
		"zeros":           make([]byte, 3*maxBlock+5),
		"zeros, then not": append(make([]byte, 5*maxBlock), random(40*maxBlock)...),
		"text":            bytes.Repeat([]byte("all work and no play\n"), 100_000),
	} {
		for _, piece := range []int{1000, maxBlock, 10 << 20} {
			stream := pack(t, data, piece)
			behind := append(bytes.Clone(stream), "behind"...)
			src := bytes.NewReader(behind)
			got, err := io.ReadAll(NewReader(src))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s in pieces of %d: %d bytes of %d came back, %v", name, piece, len(got), len(data), err)
			}
			if src.Len() != len("behind") {
				t.Errorf("%s: %d bytes are left behind the end", name, src.Len())
			}
		}
	}
}

func TestSize(t *testing.T) {
	if n := len(pack(t, make([]byte, 100<<20), 1<<20)); n > 1<<20 {
		t.Errorf("100 MiB of zeros take %d bytes", n)
	}
	if n := len(pack(t, random(10<<20), 1<<20)); n > 10<<20+10<<10 {
		t.Errorf("10 MiB of what cannot be compressed take %d bytes", n)
	}
}

// Compressing is given up where it takes longer than to send what it saves.
func TestPay(t *testing.T) {
	for name, c := range map[string]struct {
		ratio         float64
		packing, send time.Duration // for a block
		want          int           // of 1000 blocks that are compressed
	}{
		"compressed already":       {1, time.Microsecond, time.Second, 63},
		"a fast link":              {0.5, 10 * time.Millisecond, time.Millisecond, 70},
		"a slow link":              {0.5, time.Millisecond, 10 * time.Millisecond, 1000},
		"a slow link, a few saved": {0.8, time.Millisecond, 10 * time.Millisecond, 1000},
	} {
		var p pay
		compressed := 0
		for range 1000 {
			after := maxBlock
			if p.worthIt() {
				compressed++
				after = int(maxBlock * c.ratio)
				p.packed(maxBlock, after, c.packing)
			}
			p.sent(after, c.send*time.Duration(after)/maxBlock)
		}
		if compressed < c.want-20 || compressed > c.want+20 {
			t.Errorf("%s: %d blocks of 1000 were compressed, want about %d", name, compressed, c.want)
		}
	}
}

func TestDamaged(t *testing.T) {
	whole := pack(t, append(random(maxBlock), make([]byte, maxBlock)...), 1<<20)
	for cut := range 64 {
		at := cut * len(whole) / 64
		if _, err := io.ReadAll(NewReader(bytes.NewReader(whole[:at]))); !errors.Is(err, ErrCutOff) {
			t.Errorf("cut off at %d of %d: %v", at, len(whole), err)
		}
	}
	bomb := func(size int) []byte { // more than a block, in a block
		w := NewWriter(io.Discard)
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		frame := w.encoder.EncodeAll(make([]byte, size), nil)
		return append([]byte{kindZstd, 0, byte(len(frame) >> 16), byte(len(frame) >> 8), byte(len(frame))}, frame...)
	}
	for name, stream := range map[string][]byte{
		"an unknown kind":   {9, 0, 0, 0, 1, 1},
		"an end with bytes": {kindEnd, 0, 0, 0, 1, 1},
		"an empty block":    {kindPlain, 0, 0, 0, 0},
		"a huge block":      {kindPlain, 0xff, 0xff, 0xff, 0xff, 1},
		"no zstd":           {kindZstd, 0, 0, 0, 4, 1, 2, 3, 4},
		"a bomb":            bomb(64 << 20),
		"a small bomb":      bomb(maxBlock + 1),
	} {
		if n, err := io.Copy(io.Discard, NewReader(bytes.NewReader(stream))); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(pack(f, append(random(100), make([]byte, 1000)...), 1000))
	f.Add([]byte{kindPlain, 0, 0, 0, 1, 1, kindEnd, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		n, err := io.Copy(io.Discard, r)
		if blocks := int64(len(stream)/headSize + 1); n > blocks*maxBlock {
			t.Errorf("%d bytes came of %d", n, len(stream))
		}
		if err == nil && len(stream) < headSize {
			t.Errorf("%d bytes are a whole stream", len(stream))
		}
	})
}
