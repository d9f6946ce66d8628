package qemu

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stream makes a migration's stream of bytes, numbers and texts behind their lengths.
func migrationStream(parts ...any) []byte {
	var b bytes.Buffer
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			b.WriteByte(byte(len(part)))
			b.WriteString(part)
		default:
			binary.Write(&b, binary.BigEndian, part)
		}
	}
	return b.Bytes()
}

var (
	streamHead = migrationStream(
		uint32(streamMagic), uint32(streamVersion), byte(sectionConfiguration), uint32(7), []byte("microvm"),
		byte(sectionStart), uint32(2), "ram", uint32(0), uint32(4), uint64(6*pageSize|flagMemSize),
		ramName, uint64(4*pageSize), "bios", uint64(2*pageSize), uint64(flagEOS), byte(sectionFooter), uint32(2))
	partHead  = migrationStream(byte(sectionPart), uint32(2))
	lastHead  = migrationStream(byte(sectionEnd), uint32(2))
	order     = migrationStream(byte(sectionCommand), uint16(11), uint16(3), []byte("any"))
	partEnd   = migrationStream(uint64(flagEOS), byte(sectionFooter), uint32(2))
	streamEnd = migrationStream(byte(4), uint32(9), []byte("the state of a device\x02\x03"), byte(0))
)

func filled(with byte) []byte { return bytes.Repeat([]byte{with}, pageSize) }

// split returns what is left of a stream, and the memory in it.
func split(t *testing.T, stream []byte) (rest, memory []byte, err error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(4 * pageSize); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = splitPages(&out, bytes.NewReader(stream), f, 4*pageSize)
	memory, readErr := os.ReadFile(f.Name())
	if readErr != nil {
		t.Fatal(readErr)
	}
	return out.Bytes(), memory, err
}

// The memory's pages go to the file, those that were sent twice as they were last, and
// all else goes on.
func TestSplitPages(t *testing.T) {
	bios := migrationStream(uint64(pageSize|flagPage), "bios", filled('b'), uint64(flagZero|flagContinue), byte(0))
	stream := bytes.Join([][]byte{
		streamHead, partHead,
		migrationStream(uint64(flagPage), ramName, filled('0'), uint64(pageSize|flagPage|flagContinue), filled('1')),
		bios,
		migrationStream(uint64(2*pageSize|flagZero), ramName, byte(0), uint64(3*pageSize|flagZero|flagContinue), byte('f')),
		partEnd, order, lastHead,
		migrationStream(uint64(flagZero|flagContinue), byte(0), uint64(pageSize|flagPage|flagContinue), filled('2')),
		partEnd, streamEnd,
	}, nil)
	rest, memory, err := split(t, stream)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{streamHead, partHead, bios, partEnd, order, lastHead, partEnd, streamEnd}, nil)
	if !bytes.Equal(rest, want) {
		t.Errorf("the rest has %d bytes, and should have %d", len(rest), len(want))
	}
	if want := bytes.Join([][]byte{filled(0), filled('2'), filled(0), filled('f')}, nil); !bytes.Equal(memory, want) {
		t.Errorf("the memory is %q %q %q %q", memory[0], memory[pageSize], memory[2*pageSize], memory[3*pageSize])
	}
}

// What begins with something else than memory goes on as it is.
func TestSplitPagesOfNoMemory(t *testing.T) {
	stream := migrationStream(uint32(streamMagic), uint32(streamVersion), byte(sectionStart), uint32(1), "else", []byte("x"))
	if rest, _, err := split(t, stream); err != nil || !bytes.Equal(rest, stream) {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestSplitPagesOfBadStreams(t *testing.T) {
	ram := func(parts ...any) []byte {
		return bytes.Join([][]byte{streamHead, partHead, migrationStream(parts...)}, nil)
	}
	for want, stream := range map[string][]byte{
		"begins with":          []byte("QEVMQEVM"),
		"EOF":                  streamHead[:len(streamHead)-8],
		"unexpected EOF":       ram(uint64(flagPage), ramName, []byte("short")),
		"is at 0x4000":         ram(uint64(4*pageSize|flagPage), ramName, filled('x')),
		"is at":                ram(uint64(1<<63|flagZero), ramName, byte(1)),
		"of kind 0x4":          bytes.Join([][]byte{streamHead, streamEnd}, nil),
		"flags 0x40":           ram(uint64(0x40), ramName),
		"a name in it has":     migrationStream(uint32(streamMagic), uint32(streamVersion), byte(sectionConfiguration), uint32(1<<31)),
		"microvm.ram has 4096": bytes.Replace(streamHead, migrationStream(ramName, uint64(4*pageSize)), migrationStream(ramName, uint64(pageSize)), 1),
	} {
		if _, _, err := split(t, stream); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Whatever QEMU sends, no more than the memory is written, and no more goes on than
// came.
func FuzzSplitPages(f *testing.F) {
	f.Add(bytes.Join([][]byte{streamHead, partHead, migrationStream(uint64(flagPage), ramName, filled('0')), partEnd, streamEnd}, nil))
	f.Add(streamHead)
	file, err := os.Create(filepath.Join(f.TempDir(), "memory"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { file.Close() })
	f.Fuzz(func(t *testing.T, stream []byte) {
		var out bytes.Buffer
		splitPages(&out, bytes.NewReader(stream), file, 4*pageSize)
		if end, err := file.Seek(0, io.SeekEnd); err != nil || end > 4*pageSize || out.Len() > len(stream) {
			t.Errorf("wrote %d bytes of memory, %v, and %d of %d", end, err, out.Len(), len(stream))
		}
	})
}
