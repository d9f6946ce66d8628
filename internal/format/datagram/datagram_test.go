package datagram

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestStream(t *testing.T) {
	var over bytes.Buffer
	s := New(&over)
	sent := [][]byte{[]byte("a"), {}, bytes.Repeat([]byte("b"), Max), []byte("c")}
	for _, data := range sent {
		if n, err := s.Write(data); n != len(data) || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := s.Write(make([]byte, Max+1)); err == nil {
		t.Error("one that is too long was sent")
	}
	buf := make([]byte, Max)
	for _, want := range sent {
		if n, err := s.Read(buf); !bytes.Equal(buf[:n], want) || err != nil {
			t.Errorf("got %d bytes, %v; want %d", n, err, len(want))
		}
	}
	if _, err := s.Read(buf); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
}

// What a small buffer has no room for is not taken for the next.
func TestCutShort(t *testing.T) {
	var over bytes.Buffer
	s := New(&over)
	s.Write([]byte("hello"))
	s.Write([]byte("you"))
	buf := make([]byte, 3)
	for _, want := range []string{"hel", "you"} {
		if n, err := s.Read(buf); string(buf[:n]) != want || err != nil {
			t.Errorf("got %q, %v; want %q", buf[:n], err, want)
		}
	}
}

// FuzzRead gives any bytes: each datagram that is read was there whole.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0, 0, 2, 'b'})
	f.Fuzz(func(t *testing.T, data []byte) {
		over := bytes.NewBuffer(bytes.Clone(data))
		s, buf := New(over), make([]byte, Max)
		for at := 0; ; {
			n, err := s.Read(buf)
			if err != nil {
				if whole := errors.Is(err, io.EOF); whole != (at == len(data)) {
					t.Fatalf("at %d of %d: %v", at, len(data), err)
				}
				return
			}
			if !bytes.Equal(buf[:n], data[at+headerSize:at+headerSize+n]) {
				t.Fatal("other bytes")
			}
			at += headerSize + n
		}
	})
}
