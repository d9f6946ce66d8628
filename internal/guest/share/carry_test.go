package share

import (
	"bytes"
	"encoding/binary"
	"errors"
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
		return append(binary.LittleEndian.AppendUint32(nil, uint32(size)), make([]byte, size-4)...)
	}
	stream := bytes.Join([][]byte{message(16), message(100), message(17)}, nil)
	rest, err := deliver(fds[0], stream[:len(stream)-1])
	if err != nil || len(rest) != 16 {
		t.Fatalf("left %d bytes, %v", len(rest), err)
	}
	if rest, err = deliver(fds[0], append(rest, 0)); err != nil || len(rest) != 0 {
		t.Fatalf("left %d bytes, %v", len(rest), err)
	}
	buf := make([]byte, 200)
	for _, want := range []int{16, 100, 17} {
		if n, err := unix.Read(fds[1], buf); n != want || err != nil {
			t.Errorf("got %d bytes, %v; want %d", n, err, want)
		}
	}
	for _, size := range []uint32{0, 15, maxMessage + 1, 1 << 31} {
		if _, err := deliver(fds[0], append(binary.LittleEndian.AppendUint32(nil, size), make([]byte, 20)...)); !errors.Is(err, errGarbled) {
			t.Errorf("a message of %d bytes: %v", size, err)
		}
	}
}
