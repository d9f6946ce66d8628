package sshd

import (
	"os"
	"testing"

	"banger/internal/agentapi"

	"golang.org/x/crypto/ssh"
)

func TestFirst(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make a PID namespace")
	}
	client := dial(t)
	for _, tt := range []struct {
		name string
		argv []string
		want result
	}{
		{"number", []string{"sh", "-c", "echo $$; readlink /proc/self >/dev/null && ls -d /proc/1"}, result{stdout: "1\n/proc/1\n"}},
		{"status", []string{"sh", "-c", "echo err >&2; exit 9"}, result{stderr: "err\n", status: 9}},
		{"not found", []string{"foo"}, result{stderr: "banger: exec: \"foo\": not found\n", status: 127}},
	} {
		got := request(t, client, agentapi.RequestExec, agentapi.Exec{Argv: tt.argv, First: true}, noInput())
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
	for _, tt := range []struct{ line, want string }{
		{`{"argv":["sh","-c","echo ready; read line"],"first":true}`, "exit-signal"},
		{`{"argv":["sh","-c","trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"],"first":true}`, "exit-status"},
	} {
		channel, requests, err := dial(t).OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := channel.SendRequest(agentapi.RequestExec, true, []byte(tt.line)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, err := channel.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		channel.SendRequest("signal", false, ssh.Marshal(&struct{ Name string }{"TERM"}))
		if r := <-requests; r == nil || r.Type != tt.want {
			t.Errorf("%s: got %+v, want %s", tt.line, r, tt.want)
		}
	}
}
