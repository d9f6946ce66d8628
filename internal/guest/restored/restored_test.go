package restored

import (
	"bufio"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"banger/internal/agentapi"
)

type fake struct {
	became []string
	goes   chan struct{}
}

func (*fake) HostKey() string { return "key" }

func (f *fake) Become(r agentapi.Restore) agentapi.Restored {
	f.became = append(f.became, r.Hostname)
	return agentapi.Restored{Warnings: []string{"w"}}
}

func (f *fake) Go() { f.goes <- struct{}{} }

func start(t *testing.T) (*fake, func() net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	f := &fake{goes: make(chan struct{}, 1)}
	go Serve(listener, f)
	return f, func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// Nobody but the host makes another guest of this one, whatever is said to it.
func TestStrangersAreNotHeard(t *testing.T) {
	f, dial := start(t)
	for what, line := range map[string]string{
		"no token":      `{"hostname":"x"}`,
		"another token": `{"hostname":"x","token":"AAAA"}`,
		"no line":       "}{",
		"too long":      `{"hostname":"` + strings.Repeat("x", agentapi.MaxRestore),
	} {
		conn := dial()
		conn.Write([]byte(line + "\n"))
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: an answer", what)
		}
	}
	if len(f.became) > 0 {
		t.Errorf("became %q", f.became)
	}
}

func TestHostIsHeard(t *testing.T) {
	f, dial := start(t)
	conn := dial()
	if err := json.NewEncoder(conn).Encode(agentapi.Restore{Token: agentapi.RestoreToken("key"), Hostname: "box"}); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line != `{"warnings":["w"]}`+"\n" {
		t.Errorf("got %q, %v", line, err)
	}
	select {
	case <-f.goes:
		t.Error("goes on before the host has closed")
	default:
	}
	conn.Close()
	<-f.goes
	if len(f.became) != 1 || f.became[0] != "box" {
		t.Errorf("became %q", f.became)
	}
}
