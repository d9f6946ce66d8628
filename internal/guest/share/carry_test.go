package share

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// Messages arrive one by one, whole, however they were cut.
func TestDeliver(t *testing.T) {
	var fds [2]int
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	message := func(size int) []byte {
		m := append(binary.LittleEndian.AppendUint32(nil, uint32(size)), make([]byte, size-4)...)
		m[8] = 1 // what it answers
		return m
	}
	stream := bytes.Join([][]byte{message(16), message(100), message(17)}, nil)
	rest, err := deliver(fds[0], stream[:len(stream)-1], nil)
	if err != nil || len(rest) != 16 {
		t.Fatalf("left %d bytes, %v", len(rest), err)
	}
	if rest, err = deliver(fds[0], append(rest, 0), nil); err != nil || len(rest) != 0 {
		t.Fatalf("left %d bytes, %v", len(rest), err)
	}
	buf := make([]byte, 200)
	for _, want := range []int{16, 100, 17} {
		if n, err := unix.Read(fds[1], buf); n != want || err != nil {
			t.Errorf("got %d bytes, %v; want %d", n, err, want)
		}
	}
	for _, size := range []uint32{0, 15, maxMessage + 1, 1 << 31} {
		if _, err := deliver(fds[0], append(binary.LittleEndian.AppendUint32(nil, size), make([]byte, 20)...), nil); !errors.Is(err, errGarbled) {
			t.Errorf("a message of %d bytes: %v", size, err)
		}
	}
}

// News are set aside, and delivered behind what came before until they end.
func TestNews(t *testing.T) {
	var fds [2]int
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	unasked := append(binary.LittleEndian.AppendUint32(nil, 20), make([]byte, 16)...)
	answer := bytes.Clone(unasked)
	answer[8] = 1
	news := newNews()
	if rest, err := deliver(fds[0], slices.Concat(unasked, answer, unasked), news); err != nil || len(rest) != 0 {
		t.Fatalf("left %d bytes, %v", len(rest), err)
	}
	ended := make(chan error, 1)
	go func() { ended <- news.deliver(fds[0]) }()
	buf := make([]byte, 100)
	for i, want := range [][]byte{answer, unasked, unasked} {
		if n, err := unix.Read(fds[1], buf); err != nil || !bytes.Equal(buf[:n], want) {
			t.Errorf("the message %d is %x, %v", i, buf[:max(n, 0)], err)
		}
	}
	news.end()
	if err := <-ended; err == nil {
		t.Error("it goes on")
	}
}
