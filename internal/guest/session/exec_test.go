package session_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
	"banger/internal/guest/session"
)

var allowUnexported = cmp.AllowUnexported(result{})

func TestExec(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		for _, tt := range []struct {
			line, stdin string
			want        result
		}{
			{"echo out; echo err >&2; exit 3", "", result{"out\n", "err\n", 3}},
			{"cat", "to the end", result{"to the end", "", 0}},
			{"kill -TERM $$", "", result{"", "", 143}},
			{"kill -KILL $$", "", result{"", "", 137}},
			// SSH has no names for these.
			{"kill -BUS $$", "", result{"", "", 135}},
			{"kill -SYS $$", "", result{"", "", 159}},
			{"kill -TRAP $$", "", result{"", "", 133}},
			{"kill -36 $$", "", result{"", "", 164}},
			{"no-such-command-here 2>/dev/null", "", result{"", "", 127}},
			{"exec >&- 2>&-; exit 4", "", result{"", "", 4}},
			// What runs on holds the streams, so the client waits for it.
			{"echo now; (read line; echo later) & exit 5", "x\n", result{"now\nlater\n", "", 5}},
			// The login shell.
			{"", "echo name=${0%%[a-z]*}; exit 3\n", result{"name=-\n", "", 3}},
		} {
			got := run(t, start, program{Exec: agentapi.Exec{Line: tt.line}, stdin: strings.NewReader(tt.stdin)})
			if diff := cmp.Diff(tt.want, got, allowUnexported); diff != "" {
				t.Errorf("%s: %s", tt.line, diff)
			}
		}
	})
}

// Every byte passes, in both directions and in an amount that fills every
// buffer on the way.
func TestExecIsBinarySafe(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		data := make([]byte, 5<<20)
		rand.Read(data)
		got := run(t, start, program{Exec: agentapi.Exec{Line: "tee /dev/stderr"}, stdin: bytes.NewReader(data)})
		if got.stdout != string(data) || got.stderr != string(data) {
			t.Errorf("got %d and %d bytes; want the %d that were sent", len(got.stdout), len(got.stderr), len(data))
		}
	})
}

// Input that nobody reads is no reason to wait.
func TestUnreadInput(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		input := strings.NewReader(strings.Repeat("unread", 1<<20))
		got := run(t, start, program{Exec: agentapi.Exec{Line: "exec 0<&-; echo closed"}, stdin: input})
		if want := (result{stdout: "closed\n"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// A signal reaches a program that takes no input, of which there is more than has
// room on the way. The whole group gets it: while one of it lives, the output has
// no end.
func TestSignal(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		out, written := io.Pipe()
		r := start(t, program{Exec: agentapi.Exec{Line: `sh -c 'echo ready; exec tail -f /dev/null' & exec tail -f /dev/null`},
			stdin: strings.NewReader(strings.Repeat("unread", 1<<20)), stdout: written, stderr: io.Discard})
		if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		r.signal("USR1")
		if status, err := r.wait(); status != 128+int(unix.SIGUSR1) || err != nil {
			t.Errorf("got %d, %v, want the signal's", status, err)
		}
	})
}

// The program hears that its client is gone, also where it takes no input.
func TestClientGone(t *testing.T) {
	overBoth(t, func(t *testing.T, _ *session.Sessions, start func(*testing.T, program) running) {
		// The program tells of the signal by a pipe that outlives the session.
		fifo := filepath.Join(t.TempDir(), "fifo")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		line := "exec 3>" + strconv.Quote(fifo) + `; trap "echo hup >&3; exit" HUP; echo ready >&3; while :; do sleep 0.1; done`
		r := start(t, program{Exec: agentapi.Exec{Line: line}, stdin: strings.NewReader(strings.Repeat("unread", 1<<20)), stdout: io.Discard, stderr: io.Discard})
		told, err := os.Open(fifo)
		if err != nil {
			t.Fatal(err)
		}
		defer told.Close()
		if _, err := io.ReadFull(told, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		r.hangUp()
		if got, err := io.ReadAll(told); string(got) != "hup\n" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestArgv(t *testing.T) {
	dir := t.TempDir()
	writeTools(t, dir)
	start := overLink(t, newSessions(nil))
	script, home := filepath.Join(dir, "script"), me(t).HomeDir
	for _, tt := range []struct {
		name string
		exec agentapi.Exec
		want result
	}{
		{"arguments as they are", agentapi.Exec{Argv: []string{script, "a b", "$HOME", "", "*"}}, result{stdout: "<a b><$HOME><><*>"}},
		{"arguments of any bytes", agentapi.Exec{Argv: []string{script, "caf\xe9"}, Env: []string{"A=\xff"}}, result{stdout: "<caf\xe9>"}},
		{"relative to the directory", agentapi.Exec{Argv: []string{"./script", "x"}, Dir: dir}, result{stdout: "<x>"}},
		{"directory", agentapi.Exec{Argv: []string{"pwd"}, Dir: dir}, result{stdout: dir + "\n"}},
		{"variables", agentapi.Exec{Argv: []string{"sh", "-c", "echo $A-$B"}, Env: []string{"A=1", "B=2", "A=3"}}, result{stdout: "3-2\n"}},
		{"a PATH of its own", agentapi.Exec{Argv: []string{"tool"}, Env: []string{"PATH=/nowhere:" + dir + "/sub:/bin:/usr/bin"}}, result{stdout: dir + "/sub/tool\n"}},
		{"a relative PATH", agentapi.Exec{Argv: []string{"tool"}, Dir: dir, Env: []string{"PATH=sub:/bin:/usr/bin"}}, result{stdout: dir + "/sub/tool\n"}},
		{"status", agentapi.Exec{Argv: []string{"sh", "-c", "exit 9"}}, result{status: 9}},
		{"signal", agentapi.Exec{Argv: []string{"sh", "-c", "kill -USR1 $$"}}, result{status: 138}},
		{"not found", agentapi.Exec{Argv: []string{"foo"}}, result{stderr: "banger: exec: \"foo\": not found\n", status: 127}},
		{"not found by path", agentapi.Exec{Argv: []string{"/no/foo"}}, result{stderr: "banger: exec: \"/no/foo\": not found\n", status: 127}},
		{"not executable", agentapi.Exec{Argv: []string{dir + "/plain"}}, result{stderr: "banger: exec: \"" + dir + "/plain\": permission denied\n", status: 126}},
		{"a directory", agentapi.Exec{Argv: []string{dir}}, result{stderr: "banger: exec: \"" + dir + "\": permission denied\n", status: 126}},
		{"not a program", agentapi.Exec{Argv: []string{dir + "/notelf"}}, result{stderr: "banger: exec: \"" + dir + "/notelf\": exec format error\n", status: 126}},
		{"no interpreter", agentapi.Exec{Argv: []string{dir + "/noshell"}}, result{stderr: "banger: exec: \"" + dir + "/noshell\": no such file or directory\n", status: 127}},
		{"the image's directory", agentapi.Exec{Argv: []string{"pwd"}, Dir: dir + "/made/here", MakeDir: true}, result{stdout: dir + "/made/here\n"}},
		{"no directory", agentapi.Exec{Argv: []string{"pwd"}, Dir: "/no/dir"}, result{stderr: "banger: exec: directory \"/no/dir\": not found\n", status: 127}},
		{"below the home", agentapi.Exec{Argv: []string{"pwd"}, Dir: "no/dir"}, result{stderr: "banger: exec: directory \"" + home + "/no/dir\": not found\n", status: 127}},
		{"more than a buffer holds", agentapi.Exec{Argv: []string{"sh", "-c", "echo ${#1}", "sh", strings.Repeat("x", 100<<10)}}, result{stdout: "102400\n"}},
	} {
		got := run(t, start, program{Exec: tt.exec})
		if diff := cmp.Diff(tt.want, got, allowUnexported); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// writeTools writes programs, and what is none, into dir.
func writeTools(t *testing.T, dir string) {
	t.Helper()
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
}

func TestUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	var stdout, stderr bytes.Buffer
	exec := agentapi.Exec{Argv: []string{"sh", "-c", "id -u; id -g; id -G; echo $HOME"}, Dir: "/"}
	status, err := dial(t, newSessions(nil), "54321").Run(t.Context(), programOf(exec), streamsTo(&stdout, &stderr))
	if want := "54321\n0\n0\n/\n"; stdout.String() != want || status != 0 || err != nil {
		t.Errorf("got %q, %d, %v, want %q", stdout.String(), status, err, want)
	}
	_, err = dial(t, newSessions(nil), "nobody-of-this-name").Run(t.Context(), programOf(exec), streamsTo(&stdout, &stderr))
	if err == nil || !strings.HasPrefix(err.Error(), "in the guest: ") || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("an unknown user: %v", err)
	}
}

func TestWaitInit(t *testing.T) {
	booted := make(chan struct{})
	start := overLink(t, newSessions(func(ctx context.Context) error {
		select {
		case <-booted:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	marker := filepath.Join(t.TempDir(), "ran")
	r := start(t, program{Exec: agentapi.Exec{Argv: []string{"touch", marker}, WaitInit: true}, stdout: io.Discard, stderr: io.Discard})
	if got := run(t, start, program{Exec: agentapi.Exec{Argv: []string{"ls", marker}}}); got.status == 0 {
		t.Error("the program ran before the init had booted")
	}
	close(booted)
	if status, err := r.wait(); status != 0 || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error(err)
	}
}

// A signal while the init boots takes the program back.
func TestWaitInitInterrupted(t *testing.T) {
	waiting := make(chan struct{})
	start := overLink(t, newSessions(func(ctx context.Context) error {
		close(waiting)
		<-ctx.Done()
		return ctx.Err()
	}))
	r := start(t, program{Exec: agentapi.Exec{Argv: []string{"true"}, WaitInit: true}, stdout: io.Discard, stderr: io.Discard})
	<-waiting
	r.signal("INT")
	if status, err := r.wait(); status != agentapi.ExitNotExecutable || err != nil {
		t.Errorf("got %d, %v, want status 126", status, err)
	}
}
