package qemu

import (
	"encoding/json"
	"slices"
	"testing"
)

// What QEMU says of a disk's errors is passed on; its events may be anything.
func TestDiskErrorsAreHeard(t *testing.T) {
	var heard []string
	m := &machine{diskError: func(why string) { heard = append(heard, why) }}
	for _, data := range []string{
		`{"device":"","node-name":"disk1","operation":"write","action":"report","nospace":true,"reason":"x"}`,
		`{"node-name":"disk1","operation":"write","action":"report","reason":"No space left on device"}`,
		`{"operation":"read","action":"report","nospace":false,"reason":"Input/output error"}`,
		`[1]`, `"`,
	} {
		m.hear("BLOCK_IO_ERROR", json.RawMessage(data))
	}
	if want := []string{"no space left on device", "no space left on device", "Input/output error"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}
