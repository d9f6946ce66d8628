package qemu

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"testing"

	"banger/internal/vmm"
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

// A guest that writes to its memory as fast as that is sent is held, once.
func TestBusyGuestsAreHeld(t *testing.T) {
	m := &machine{migration: make(chan step, maxSteps), log: vmm.NewLog(io.Discard, "")}
	monitor, peer := testMonitor(t, m.hear)
	m.monitor = monitor
	stops := make(chan int, 1)
	go func() {
		stopped, pass := 0, 0
		next := func() { pass++; fmt.Fprintf(peer, "{\"event\": \"MIGRATION_PASS\", \"data\": {\"pass\": %d}}\n", pass) }
		for range maxPasses + 1 {
			next()
		}
		for commands := bufio.NewScanner(peer); commands.Scan(); {
			var c command
			if json.Unmarshal(commands.Bytes(), &c) != nil || c.Execute != "stop" {
				continue
			}
			stopped++
			fmt.Fprintf(peer, "{\"event\": \"STOP\"}\n{\"return\": {}, \"id\": %d}\n", c.ID)
			next()
			fmt.Fprintln(peer, `{"event": "MIGRATION", "data": {"status": "completed"}}`)
			break
		}
		stops <- stopped
	}()
	held, err := m.await(t.Context())
	if err != nil || held.IsZero() || <-stops != 1 {
		t.Errorf("held since %s, %v", held, err)
	}
}
