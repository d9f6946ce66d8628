package boot

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCheckTimer(t *testing.T) {
	const others = "           CPU0       CPU1\n  4:         12          0   IO-APIC   4-edge      ttyS0\nNMI:          0          0   Non-maskable interrupts\n"
	for text, ok := range map[string]bool{
		others + "LOC:        581       1475   Local timer interrupts\n": true,
		others + "LOC:          0          7   Local timer interrupts\n": true,
		others + "LOC:          0          0   Local timer interrupts\n": false,
		others + "LOC:          0   Local timer interrupts\n":            false,
		others: true, // a processor of another kind
		"":     true,
	} {
		path := filepath.Join(t.TempDir(), "interrupts")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkTimer(path); (err == nil) != ok {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if err := checkTimer(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a kernel without /proc/interrupts passed")
	}
}
