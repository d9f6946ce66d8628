package session_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"banger/internal/agentapi"
	"banger/internal/guest/session"
)

// What a program says when it is told to end reaches its client, and so does
// its exit status; a new one is not begun.
func TestShutdownWaitsForPrograms(t *testing.T) {
	overBoth(t, func(t *testing.T, sessions *session.Sessions, start func(*testing.T, program) running) {
		in, typing := io.Pipe()
		out, shown := io.Pipe()
		r := start(t, program{Exec: agentapi.Exec{Line: "echo begun; read line; echo bye; exit 7"}, stdin: in, stdout: shown, stderr: io.Discard})
		lines := bufio.NewReader(out)
		expect(t, lines, "begun")

		down := make(chan struct{})
		go func() {
			sessions.Shutdown()
			close(down)
		}()
		for refused := false; !refused; {
			late := run(t, start, program{Exec: agentapi.Exec{Line: "true"}})
			refused = strings.Contains(late.stderr, "shutting down")
		}
		select {
		case <-down:
			t.Error("it did not wait")
		default:
		}
		io.WriteString(typing, "\n")
		expect(t, lines, "bye")
		expectEnd(t, r, lines, 7)
		<-down
	})
}

// Shells do not heed SIGTERM on a terminal, but its end.
func TestShutdownHangsUpOnTerminals(t *testing.T) {
	overBoth(t, func(t *testing.T, sessions *session.Sessions, start func(*testing.T, program) running) {
		r, _, out := onTerminal(t, start, `trap '' TERM; trap 'echo bye; exit 5' HUP; echo begun; while :; do sleep 0.1; done`)
		expect(t, out, "begun")
		go sessions.Shutdown()
		expect(t, out, "bye")
		expectEnd(t, r, out, 5)
	})
}
