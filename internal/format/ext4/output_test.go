package ext4

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// Blocks end up where write said, also when the buffer is full and when a
// superblock's place lies between them.
func TestOutput(t *testing.T) {
	m := &memory{}
	o := newOutput(m, maxBlocks)
	o.space.next = blocksPerGroup - 300
	where := map[uint32]byte{}
	for i := range 900 {
		number, err := o.write(bytes.Repeat([]byte{byte(i)}, blockSize))
		if err != nil {
			t.Fatal(err)
		}
		where[number] = byte(i)
	}
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	if len(where) != 900 || o.taken != 900 {
		t.Fatalf("%d places for 900 blocks, %d taken", len(where), o.taken)
	}
	for number, content := range where {
		if block := m.data[int(number)*blockSize:][:blockSize]; !bytes.Equal(block, bytes.Repeat([]byte{content}, blockSize)) {
			t.Fatalf("block %d does not hold %d", number, content)
		}
	}
}

func TestLimit(t *testing.T) {
	big := file("f", strings.Repeat("x", 2<<20))
	_, err := build(t, Options{Limit: 1 << 20}, big)
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("over the limit with content: %v", err)
	}
	if _, err := build(t, Options{Limit: 4 << 20}, big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit with tables: %v", err)
	}
	if _, err := build(t, Options{Limit: 5 << 20}, big); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	huge := file("f", "")
	huge.Size = 1 << 45
	if _, err := build(t, Options{}, huge); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file of 32 TiB: %v", err)
	}
}

// However far a full disk lets the writer come, it says so and leaves nothing
// that looks like a file system.
func TestNoRoom(t *testing.T) {
	whole := len(inMemory(t, file("f", strings.Repeat("x", 2<<20))))
	for room := int64(blockSize); room < int64(whole); room += 40 * blockSize {
		m := &memory{room: room}
		w, err := NewWriter(m, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f := file("f", strings.Repeat("x", 2<<20))
		added := w.Add(&f.Header, strings.NewReader(f.content))
		closed := w.Close()
		if !errors.Is(closed, errNoRoom) || added != nil && !errors.Is(closed, added) {
			t.Errorf("with %d bytes: %v, then %v", room, added, closed)
		}
		if _, err := Check(bytes.NewReader(m.data)); !errors.Is(err, ErrNotExt4) {
			t.Errorf("with %d bytes: left a file system, %v", room, err)
		}
	}
}

// After an error nothing more is done.
func TestErrorsLast(t *testing.T) {
	_, w := newFile(t, Options{})
	bad := file("f/../..", "")
	first := w.Add(&bad.Header, nil)
	good := file("g", "")
	if err := w.Add(&good.Header, nil); first == nil || !errors.Is(err, first) {
		t.Errorf("got %v, then %v", first, err)
	}
	if err := w.Close(); !errors.Is(err, first) {
		t.Errorf("closing: %v", err)
	}
	_, w = newFile(t, Options{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(&good.Header, nil); err == nil {
		t.Error("took an entry after Close")
	}
}

func TestContentCutShort(t *testing.T) {
	for _, got := range []string{"", "abc"} {
		short := file("f", got)
		short.Size = 4
		if _, err := build(t, Options{}, short); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), `"f"`) {
			t.Errorf("%d bytes of 4: %v", len(got), err)
		}
	}
}
