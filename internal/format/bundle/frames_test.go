package bundle

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// noise returns bytes that do not compress well, the same each time.
func noise(n int) []byte {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.IntN(16))
	}
	return b
}

func frame(t testing.TB, data []byte, o ...zstd.EOption) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, o...)
	if err != nil {
		t.Fatal(err)
	}
	return encoder.EncodeAll(data, nil)
}

// maxRead is more than is in any stream here that is not meant to be endless.
const maxRead = 64 << 20

// readFrames decompresses by frames, and reports whether all of it was beside others.
func readFrames(t testing.TB, r io.Reader) (data []byte, beside bool, err error) {
	t.Helper()
	f, err := newFrames(r)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, maxRead))
	return data, f.rest == nil, err
}

func TestFrames(t *testing.T) {
	small, large := noise(300<<10), noise(maxFrame)
	unsized := compress(t, small) // the whole stream's length is not known when it begins
	empty, skippable := frame(t, nil, zstd.WithZeroFrames(true)), append([]byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0}, "xyz"...)
	for what, tt := range map[string]struct {
		stream [][]byte
		want   [][]byte
		beside bool
	}{
		"one":                    {[][]byte{frame(t, small)}, [][]byte{small}, true},
		"many":                   {[][]byte{frame(t, large), frame(t, small), frame(t, large), frame(t, large), frame(t, small), frame(t, small), frame(t, large)}, [][]byte{large, small, large, large, small, small, large}, true},
		"without checksums":      {[][]byte{frame(t, small, zstd.WithEncoderCRC(false)), frame(t, small)}, [][]byte{small, small}, true},
		"zeros":                  {[][]byte{frame(t, make([]byte, maxFrame)), frame(t, small)}, [][]byte{make([]byte, maxFrame), small}, true},
		"empty ones":             {[][]byte{empty, frame(t, small), empty}, [][]byte{small}, true},
		"too large":              {[][]byte{frame(t, small), frame(t, noise(maxFrame+1)), frame(t, small)}, [][]byte{small, noise(maxFrame + 1), small}, false},
		"of no known size":       {[][]byte{frame(t, small), unsized, frame(t, small)}, [][]byte{small, small, small}, false},
		"of no known size first": {[][]byte{unsized, frame(t, small)}, [][]byte{small, small}, false},
		"skippable":              {[][]byte{skippable, frame(t, small), skippable}, [][]byte{small}, false},
	} {
		t.Run(what, func(t *testing.T) {
			stream, want := bytes.Join(tt.stream, nil), bytes.Join(tt.want, nil)
			for how, r := range map[string]io.Reader{"at once": bytes.NewReader(stream), "by halves": iotest.HalfReader(bytes.NewReader(stream))} {
				got, beside, err := readFrames(t, r)
				if err != nil || !bytes.Equal(got, want) || beside != tt.beside {
					t.Errorf("%s: %d bytes of %d, beside each other: %v, %v", how, len(got), len(want), beside, err)
				}
			}
		})
	}
}

// What breaks off in the middle, or is no frame, is an error behind all that came
// before it.
func TestFramesBroken(t *testing.T) {
	first, second := noise(3000), noise(5000)
	whole := append(frame(t, first), frame(t, second)...)
	for n := len(frame(t, first)) + 1; n < len(whole); n++ {
		got, _, err := readFrames(t, bytes.NewReader(whole[:n]))
		if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(got, first) {
			t.Fatalf("cut at %d of %d: %d bytes, %v", n, len(whole), len(got), err)
		}
	}
	failed := errors.New("failed")
	got, _, err := readFrames(t, io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(failed)))
	if !errors.Is(err, failed) || len(got) != len(first)+len(second) {
		t.Errorf("a source that fails: %d bytes, %v", len(got), err)
	}
	whole[len(whole)-1] ^= 1 // the checksum
	if got, _, err := readFrames(t, bytes.NewReader(whole)); !errors.Is(err, zstd.ErrCRCMismatch) || !bytes.Equal(got, first) {
		t.Errorf("a damaged frame: %d bytes, %v", len(got), err)
	}
	if _, _, err := readFrames(t, bytes.NewReader(append(frame(t, first), "text"...))); !errors.Is(err, zstd.ErrMagicMismatch) {
		t.Errorf("text behind a frame: %v", err)
	}
}

// Close waits for no more than what the source is at.
func TestFramesClosedEarly(t *testing.T) {
	source, feed := io.Pipe()
	f, err := newFrames(source)
	if err != nil {
		t.Fatal(err)
	}
	data := frame(t, noise(1<<20))
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for {
			if _, err := feed.Write(data); err != nil {
				return
			}
		}
	}()
	if _, err := io.ReadFull(f, make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	source.Close()
	<-fed
}

// FuzzFrames holds the decoding of frames beside each other against decoding them one
// after the other.
func FuzzFrames(f *testing.F) {
	f.Add(append(frame(f, []byte("first")), frame(f, []byte("second"))...))
	f.Add(frame(f, noise(100<<10)))
	f.Add(compress(f, noise(100<<10)))
	f.Add([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		got, _, err := readFrames(t, bytes.NewReader(stream))
		plain, openErr := zstd.NewReader(bytes.NewReader(stream), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderConcurrency(1))
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer plain.Close()
		want, wantErr := io.ReadAll(io.LimitReader(plain, maxRead))
		if len(want) == maxRead || len(got) == maxRead {
			return
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, by one after the other: %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%d bytes, not %d", len(got), len(want))
		}
	})
}
