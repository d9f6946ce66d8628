package session_test

import (
	"bufio"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

func TestFirst(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make a PID namespace")
	}
	start := overLink(t, newSessions(nil))
	for _, tt := range []struct {
		name string
		argv []string
		want result
	}{
		{"number", []string{"sh", "-c", "echo $$; readlink /proc/self >/dev/null && ls -d /proc/1"}, result{stdout: "1\n/proc/1\n"}},
		{"bytes", []string{"sh", "-c", `printf %s "$1" | od -An -tx1`, "sh", "caf\xe9"}, result{stdout: " 63 61 66 e9\n"}},
		{"status", []string{"sh", "-c", "echo err >&2; exit 9"}, result{stderr: "err\n", status: 9}},
		{"not found", []string{"foo"}, result{stderr: "banger: exec: \"foo\": not found\n", status: 127}},
	} {
		got := run(t, start, program{Exec: agentapi.Exec{Argv: tt.argv, First: true}})
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// The kernel keeps signals from a PID 1 that does not handle them.
func TestFirstHeedsSignals(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make a PID namespace")
	}
	start := overLink(t, newSessions(nil))
	for line, want := range map[string]int{
		"echo ready; read line": 128 + int(unix.SIGTERM),
		"trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done": 5,
	} {
		in, typing := io.Pipe()
		out, shown := io.Pipe()
		r := start(t, program{Exec: agentapi.Exec{Argv: []string{"sh", "-c", line}, First: true}, stdin: in, stdout: shown, stderr: io.Discard})
		expect(t, bufio.NewReader(out), "ready")
		r.signal("TERM")
		if status, err := r.wait(); status != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", line, status, err, want)
		}
		typing.Close()
	}
}
