package session_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
	"banger/internal/guest/session"
)

// onTerminal starts a line on a terminal.
func onTerminal(t *testing.T, start func(*testing.T, program) running, line string) (running, io.Writer, *bufio.Reader) {
	t.Helper()
	if _, err := os.Stat("/dev/ptmx"); err != nil {
		t.Skip("needs pseudo-terminals: ", err)
	}
	in, typing := io.Pipe()
	out, shown := io.Pipe()
	t.Cleanup(func() { typing.Close(); out.Close() })
	r := start(t, program{Exec: agentapi.Exec{Line: line}, stdin: in, stdout: shown, stderr: io.Discard, terminal: true})
	return r, typing, bufio.NewReader(out)
}

// expect reads lines until one is want.
func expect(t *testing.T, out *bufio.Reader, want string) {
	t.Helper()
	var seen strings.Builder
	for {
		line, err := out.ReadString('\n')
		seen.WriteString(line)
		if strings.TrimRight(line, "\r\n") == want {
			return
		}
		if err != nil {
			t.Fatalf("waited for %q, got %q, %v", want, seen.String(), err)
		}
	}
}

// expectEnd reads on until the program has ended with a status.
func expectEnd(t *testing.T, r running, out io.Reader, want int) {
	t.Helper()
	go io.Copy(io.Discard, out)
	if status, err := r.wait(); status != want || err != nil {
		t.Errorf("got %d, %v, want status %d", status, err, want)
	}
}

func TestTerminal(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		r, in, out := onTerminal(t, start,
			`stty -echo; trap 'echo resized' WINCH; echo $TERM; stty size; while read line || test $? -gt 128; do echo "got $line"; stty size; done; tty -s && exit 6`)
		expect(t, out, "xterm-banger")
		expect(t, out, "24 80")
		io.WriteString(in, "one\n")
		expect(t, out, "got one")
		expect(t, out, "24 80")
		r.resize(100, 40)
		for { // until it has come
			io.WriteString(in, "two\n")
			expect(t, out, "got two")
			line, err := out.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(line) == "40 100" {
				break
			}
		}
		io.WriteString(in, "\x04")
		expectEnd(t, r, out, 6)
	})
}

// ^C reaches the program in the foreground by way of its terminal.
func TestTerminalInterrupt(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		r, in, out := onTerminal(t, start, `echo ready; exec cat`)
		expect(t, out, "ready")
		io.WriteString(in, "\x03")
		expectEnd(t, r, out, 128+int(unix.SIGINT))
	})
}

// What is left in the background does not keep a shell's end from the client.
func TestTerminalWithBackground(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		r, _, out := onTerminal(t, start, `(trap "" HUP; exec sleep 1000) & echo pid $!; exit 0`)
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "pid "))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Kill(pid, unix.SIGKILL) })
		expectEnd(t, r, out, 0)
	})
}

// A failure on a terminal, which the client has set raw, starts a new line.
func TestTerminalFailure(t *testing.T) {
	var stderr bytes.Buffer
	p := program{Exec: agentapi.Exec{Argv: []string{"foo"}}, terminal: true, stdout: io.Discard, stderr: &stderr}
	status, err := overLink(t, newSessions(nil))(t, p).wait()
	if want := "banger: exec: \"foo\": not found\r\n"; stderr.String() != want || status != agentapi.ExitNotFound || err != nil {
		t.Errorf("got %q, %d, %v; want %q", stderr.String(), status, err, want)
	}
}
