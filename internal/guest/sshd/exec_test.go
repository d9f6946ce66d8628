package sshd

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"banger/internal/agentapi"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

var allowUnexported = cmp.AllowUnexported(result{})

func TestExec(t *testing.T) {
	client := dial(t)
	for _, tt := range []struct {
		line, stdin string
		want        result
	}{
		{"echo out; echo err >&2; exit 3", "", result{"out\n", "err\n", 3, ""}},
		{"cat", "to the end", result{"to the end", "", 0, ""}},
		{"", "", result{"", "", 0, ""}},
		{"kill -TERM $$", "", result{"", "", 143, "TERM"}},
		{"kill -KILL $$", "", result{"", "", 137, "KILL"}},
		// SSH has no names for these.
		{"kill -BUS $$", "", result{"", "", 135, ""}},
		{"kill -SYS $$", "", result{"", "", 159, ""}},
		{"kill -TRAP $$", "", result{"", "", 133, ""}},
		{"kill -36 $$", "", result{"", "", 164, ""}},
		{"no-such-command-here 2>/dev/null", "", result{"", "", 127, ""}},
		{"exec >&- 2>&-; exit 4", "", result{"", "", 4, ""}},
		// What runs on holds the streams, so the client waits for it.
		{"echo now; (read line; echo later) & exit 5", "x\n", result{"now\nlater\n", "", 5, ""}},
	} {
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		session.Stdin, session.Stdout, session.Stderr = strings.NewReader(tt.stdin), &stdout, &stderr
		got := outcome(&stdout, &stderr, session.Run(tt.line))
		if diff := cmp.Diff(tt.want, got, allowUnexported); diff != "" {
			t.Errorf("%s: %s", tt.line, diff)
		}
	}
}

// Every byte passes, in both directions and in an amount that fills every
// buffer on the way.
func TestExecIsBinarySafe(t *testing.T) {
	client := dial(t)
	data := make([]byte, 5<<20)
	rand.Read(data)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	session.Stdin = bytes.NewReader(data)
	out, err := session.Output("cat")
	if err != nil || !bytes.Equal(out, data) {
		t.Errorf("got %d bytes, %v; want the %d that were sent", len(out), err, len(data))
	}
}

// Input that nobody reads is no reason to wait.
func TestUnreadInput(t *testing.T) {
	client := dial(t)
	exec := agentapi.Exec{Argv: []string{"sh", "-c", "exec 0<&-; echo closed"}}
	got := request(t, client, agentapi.RequestExec, exec, strings.NewReader(strings.Repeat("unread", 1<<20)))
	if want := (result{stdout: "closed\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEnv(t *testing.T) {
	client := dial(t)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"GREETING": "a b\n=c", "HOME": "/nowhere"} {
		if err := session.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
	out, err := session.Output(`printf '%s|%s|%s|%s' "$GREETING" "$HOME" "$USER" "${TERM-none}"`)
	want := "a b\n=c|/nowhere|" + client.User() + "|"
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}

func TestBangerExec(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"script":   {"#!/bin/sh\nprintf '<%s>' \"$@\"\n", 0o755},
		"plain":    {"text", 0o644},
		"notelf":   {"\x00\x01", 0o755},
		"noshell":  {"#!/no/such/interpreter\n", 0o755},
		"sub/tool": {"#!/bin/sh\necho $0\n", 0o755},
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	client := dial(t)
	for _, tt := range []struct {
		name string
		exec agentapi.Exec
		want result
	}{
		{"arguments as they are", agentapi.Exec{Argv: []string{script, "a b", "$HOME", "", "*"}}, result{stdout: "<a b><$HOME><><*>"}},
		{"relative to the directory", agentapi.Exec{Argv: []string{"./script", "x"}, Dir: dir}, result{stdout: "<x>"}},
		{"directory", agentapi.Exec{Argv: []string{"pwd"}, Dir: dir}, result{stdout: dir + "\n"}},
		{"variables", agentapi.Exec{Argv: []string{"sh", "-c", "echo $A-$B"}, Env: []string{"A=1", "B=2", "A=3"}}, result{stdout: "3-2\n"}},
		{"a PATH of its own", agentapi.Exec{Argv: []string{"tool"}, Env: []string{"PATH=/nowhere:" + dir + "/sub:/bin:/usr/bin"}}, result{stdout: dir + "/sub/tool\n"}},
		{"a relative PATH", agentapi.Exec{Argv: []string{"tool"}, Dir: dir, Env: []string{"PATH=sub:/bin:/usr/bin"}}, result{stdout: dir + "/sub/tool\n"}},
		{"status", agentapi.Exec{Argv: []string{"sh", "-c", "exit 9"}}, result{status: 9}},
		{"signal", agentapi.Exec{Argv: []string{"sh", "-c", "kill -USR1 $$"}}, result{status: -1, signal: "USR1"}},
		{"not found", agentapi.Exec{Argv: []string{"foo"}}, result{stderr: "banger: exec: \"foo\": not found\n", status: 127}},
		{"not found by path", agentapi.Exec{Argv: []string{"/no/foo"}}, result{stderr: "banger: exec: \"/no/foo\": not found\n", status: 127}},
		{"not executable", agentapi.Exec{Argv: []string{dir + "/plain"}}, result{stderr: "banger: exec: \"" + dir + "/plain\": permission denied\n", status: 126}},
		{"a directory", agentapi.Exec{Argv: []string{dir}}, result{stderr: "banger: exec: \"" + dir + "\": permission denied\n", status: 126}},
		{"not a program", agentapi.Exec{Argv: []string{dir + "/notelf"}}, result{stderr: "banger: exec: \"" + dir + "/notelf\": exec format error\n", status: 126}},
		{"no interpreter", agentapi.Exec{Argv: []string{dir + "/noshell"}}, result{stderr: "banger: exec: \"" + dir + "/noshell\": no such file or directory\n", status: 127}},
		{"the image's directory", agentapi.Exec{Argv: []string{"pwd"}, Dir: dir + "/made/here", MakeDir: true}, result{stdout: dir + "/made/here\n"}},
		{"no directory", agentapi.Exec{Argv: []string{"pwd"}, Dir: "/no/dir"}, result{stderr: "banger: exec: directory \"/no/dir\": not found\n", status: 127}},
		{"below the home", agentapi.Exec{Argv: []string{"pwd"}, Dir: "no/dir"}, result{stderr: "banger: exec: directory \"" + home(t) + "/no/dir\": not found\n", status: 127}},
	} {
		got := request(t, client, agentapi.RequestExec, tt.exec, noInput())
		if diff := cmp.Diff(tt.want, got, allowUnexported); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// home is where this test's user lives.
func home(t *testing.T) string {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return me.HomeDir
}

func TestBangerExecAsAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	f := serve(t, nil)
	f.user = "54321"
	exec := agentapi.Exec{Argv: []string{"sh", "-c", "id -u; id -g; id -G; echo $HOME"}, Dir: "/"}
	got := request(t, f.dial(t), agentapi.RequestExec, exec, noInput())
	if want := (result{stdout: "54321\n0\n0\n/\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWaitInit(t *testing.T) {
	booted := make(chan struct{})
	f := serve(t, func(ctx context.Context) error {
		select {
		case <-booted:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	client := f.dial(t)
	marker := filepath.Join(t.TempDir(), "ran")
	done := make(chan result)
	go func() {
		done <- request(t, client, agentapi.RequestExec, agentapi.Exec{Argv: []string{"touch", marker}, WaitInit: true}, noInput())
	}()
	if got := request(t, client, agentapi.RequestExec, agentapi.Exec{Argv: []string{"ls", marker}}, noInput()); got.status == 0 {
		t.Error("the program ran before the init had booted")
	}
	close(booted)
	if got := <-done; got != (result{}) {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error(err)
	}
}

// A signal while the init boots takes the program back.
func TestWaitInitInterrupted(t *testing.T) {
	waiting := make(chan struct{})
	f := serve(t, func(ctx context.Context) error {
		close(waiting)
		<-ctx.Done()
		return ctx.Err()
	})
	channel, requests, err := f.dial(t).OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := channel.SendRequest(agentapi.RequestExec, true, []byte(`{"argv":["true"],"wait_init":true}`)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	<-waiting
	interrupt := ssh.Marshal(&struct{ Name string }{"INT"})
	if _, err := channel.SendRequest("signal", false, interrupt); err != nil {
		t.Fatal(err)
	}
	request := <-requests
	if request == nil || request.Type != "exit-status" || !bytes.Equal(request.Payload, []byte{0, 0, 0, 126}) {
		t.Errorf("got %+v, want exit status 126", request)
	}
}

// exitOf waits for the session's program, which does not end well.
func exitOf(t *testing.T, session *ssh.Session) *ssh.ExitError {
	t.Helper()
	var exit *ssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) {
		t.Fatalf("got %v, want another exit than that", err)
	}
	return exit
}

// The whole group gets a signal: while one of it lives, the output has no end.
func TestSignal(t *testing.T) {
	client := dial(t)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(`sh -c 'echo ready; exec tail -f /dev/null' & exec tail -f /dev/null`); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	if err := session.Signal(ssh.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v", rest, err)
	}
	if exit := exitOf(t, session); exit.Signal() != "USR1" {
		t.Errorf("got %v, want the signal USR1", exit)
	}
}

// The program hears that its client is gone.
func TestClientGone(t *testing.T) {
	for name, leave := range map[string]func(*ssh.Client, *ssh.Session){
		"connection": func(c *ssh.Client, s *ssh.Session) { c.Close() },
		"channel":    func(c *ssh.Client, s *ssh.Session) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client := dial(t)
			session, err := client.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			// The program tells of the signal by a pipe that outlives the session.
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := unix.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := session.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := session.Start("exec 3>" + strconv.Quote(fifo) + `; trap "echo hup >&3; exit" HUP; echo ready; while :; do read line; done`); err != nil {
				t.Fatal(err)
			}
			told, err := os.Open(fifo)
			if err != nil {
				t.Fatal(err)
			}
			defer told.Close()
			if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
				t.Fatal(err)
			}
			leave(client, session)
			if got, err := io.ReadAll(told); string(got) != "hup\n" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
