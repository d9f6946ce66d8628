package qemu

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// Notes end, whatever they claim of themselves.
func FuzzHasNote(f *testing.F) {
	var note bytes.Buffer
	binary.Write(&note, binary.LittleEndian, []uint32{4, 4, notePVH})
	note.WriteString("Xen\x00\x00\x00\x00\x01")
	f.Add(note.Bytes())
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\x12\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if hasNote(bytes.NewReader(data), "Xen", notePVH) && !bytes.Contains(data, []byte("Xen\x00")) {
			t.Error("a note was found that is not there")
		}
	})
}
