package engine

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"banger/internal/statedir"
	"banger/internal/vm"
)

// The last lines are so many, however long they are and whether the last one ends.
func TestLastLines(t *testing.T) {
	e := newEngine(t)
	addVM(t, e, vm.VM{Name: "box", Image: "i", Kernel: "k"})
	long := strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		log   string
		lines int
		want  string
	}{
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc", 2, "b\nc"},
		{"a\nb\nc\n", 3, "a\nb\nc\n"},
		{"a\nb\nc\n", 9, "a\nb\nc\n"},
		{"a\nb\nc\n", 0, ""},
		{"\n\n\n", 1, "\n"},
		{"", 1, ""},
		{"a\n" + long + "\nb\n", 1, "b\n"},
		{"a\n" + long + "\nb\n", 2, long + "\nb\n"},
		{"a\n" + long + "\nb\n", 3, "a\n" + long + "\nb\n"},
	} {
		if err := os.WriteFile(e.vms.Path("box", statedir.ConsoleLog), []byte(c.log), 0o600); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := e.VMLog(t.Context(), "box", LogOptions{Tail: &c.lines}, &got); err != nil || got.String() != c.want {
			t.Errorf("the last %d of %.20q are %.20q, %d bytes, %v", c.lines, c.log, got.String(), got.Len(), err)
		}
	}
}
