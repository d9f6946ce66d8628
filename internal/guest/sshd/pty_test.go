package sshd

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// terminalSession starts command on a terminal of 80 by 24 without echo.
func terminalSession(t *testing.T, client *ssh.Client, command string) (*ssh.Session, io.Writer, *bufio.Reader) {
	t.Helper()
	if _, err := os.Stat("/dev/ptmx"); err != nil {
		t.Skip("needs pseudo-terminals: ", err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RequestPty("xterm-banger", 24, 80, ssh.TerminalModes{ssh.ECHO: 0}); err != nil {
		t.Fatal(err)
	}
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(command); err != nil {
		t.Fatal(err)
	}
	return session, in, bufio.NewReader(out)
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

func TestTerminal(t *testing.T) {
	client := dial(t)
	session, in, out := terminalSession(t, client,
		`echo $TERM; stty size; while read line; do echo "got $line"; stty size; done; tty -s && exit 6`)
	expect(t, out, "xterm-banger")
	expect(t, out, "24 80")
	io.WriteString(in, "one\n")
	expect(t, out, "got one") // and not what was typed, as there is no echo
	expect(t, out, "24 80")
	size := ssh.Marshal(&struct{ Columns, Rows, Width, Height uint32 }{100, 40, 0, 0})
	if ok, err := session.SendRequest("window-change", true, size); !ok || err != nil {
		t.Fatal(ok, err)
	}
	io.WriteString(in, "two\n")
	expect(t, out, "got two")
	expect(t, out, "40 100")
	io.WriteString(in, "\x04")
	if exit := exitOf(t, session); exit.ExitStatus() != 6 {
		t.Errorf("got %v, want status 6", exit)
	}
}

// ^C reaches the program in the foreground by way of its terminal.
func TestTerminalInterrupt(t *testing.T) {
	client := dial(t)
	session, in, out := terminalSession(t, client, `echo ready; exec cat`)
	expect(t, out, "ready")
	io.WriteString(in, "\x03")
	if exit := exitOf(t, session); exit.Signal() != "INT" {
		t.Errorf("got %v, want the signal INT", exit)
	}
}

// What is left in the background does not keep a shell's end from the client.
func TestTerminalWithBackground(t *testing.T) {
	client := dial(t)
	session, _, out := terminalSession(t, client, `(trap "" HUP; exec sleep 1000) & echo pid $!; exit 0`)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killer, err := client.NewSession()
		if err == nil {
			killer.Run("kill -9 " + strings.TrimPrefix(strings.TrimSpace(line), "pid "))
		}
		client.Close()
	})
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
}

// A login shell has its name begin with a dash.
func TestLoginShell(t *testing.T) {
	client := dial(t)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	session.Stdin = strings.NewReader("echo name=$0; exit 3\n")
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil || !strings.Contains(string(text), "name=-") {
		t.Errorf("got %q, %v", text, err)
	}
	if exit := exitOf(t, session); exit.ExitStatus() != 3 {
		t.Errorf("got %v, want status 3", exit)
	}
}

// A failure on a terminal, which the client has set raw, starts a new line.
func TestTerminalFailure(t *testing.T) {
	f := serve(t, func(context.Context) error { return nil })
	channel, requests, err := f.dial(t).OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	pty := ssh.Marshal(&ptyRequest{Term: "xterm", Columns: 80, Rows: 24})
	if ok, err := channel.SendRequest("pty-req", true, pty); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := channel.SendRequest("exec@banger", true, []byte(`{"argv":["foo"]}`)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	text, err := io.ReadAll(channel.Stderr())
	if want := "banger: exec: \"foo\": not found\r\n"; string(text) != want || err != nil {
		t.Errorf("got %q, %v; want %q", text, err, want)
	}
}
