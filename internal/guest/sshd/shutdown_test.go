package sshd

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

// What a program says when it is told to end reaches its client, and so does
// its exit status; a new one is not begun.
func TestShutdownWaitsForPrograms(t *testing.T) {
	f := serve(t, nil)
	client := f.dial(t)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("echo begun; read line; echo bye; exit 7"); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	expect(t, out, "begun")

	down := make(chan struct{})
	go func() {
		f.server.Shutdown()
		close(down)
	}()
	for refused := false; !refused; {
		late, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := late.CombinedOutput("true")
		refused = strings.Contains(string(text), "shutting down")
	}
	select {
	case <-down:
		t.Error("it did not wait")
	default:
	}
	io.WriteString(stdin, "\n")
	expect(t, out, "bye")
	if exit := exitOf(t, session); exit.ExitStatus() != 7 {
		t.Errorf("got %v, want status 7", exit)
	}
	<-down
}

// Shells do not heed SIGTERM on a terminal, but its end.
func TestShutdownHangsUpOnTerminals(t *testing.T) {
	f := serve(t, nil)
	session, _, out := terminalSession(t, f.dial(t), `trap '' TERM; trap 'echo bye; exit 5' HUP; echo begun; while :; do sleep 0.1; done`)
	expect(t, out, "begun")
	f.server.Shutdown()
	expect(t, out, "bye")
	if exit := exitOf(t, session); exit.ExitStatus() != 5 {
		t.Errorf("got %v, want status 5", exit)
	}
}
