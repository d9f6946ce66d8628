package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testMonitor returns a monitor and QEMU's end of its connection.
func testMonitor(t *testing.T, heard func(string, json.RawMessage)) (*monitor, *net.UnixConn) {
	t.Helper()
	conn, file, err := socketPair("monitor")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	peer, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	m := newMonitor(conn, heard)
	t.Cleanup(func() {
		peer.Close()
		<-m.ended
	})
	return m, peer.(*net.UnixConn)
}

func TestMonitorExecutes(t *testing.T) {
	events := make(chan string, 1)
	m, peer := testMonitor(t, func(event string, _ json.RawMessage) { events <- event })
	fmt.Fprintln(peer, `{"QMP": {"version": {}}}`)
	go func() {
		for commands := bufio.NewScanner(peer); commands.Scan(); {
			var c command
			if json.Unmarshal(commands.Bytes(), &c) != nil {
				return
			}
			switch c.Execute {
			case "qmp_capabilities":
				fmt.Fprintln(peer, `{"return": {}}`)
			case "stop":
				fmt.Fprintf(peer, "{\"event\": \"STOP\"}\n{\"return\": {}, \"id\": %d}\n{\"return\": {}, \"id\": %[1]d}\n", c.ID)
			default:
				fmt.Fprintf(peer, "{\"error\": {\"desc\": \"not that\"}, \"id\": %d}\n", c.ID)
			}
		}
	}()
	if err := m.execute(t.Context(), "stop", nil); err != nil {
		t.Error(err)
	}
	if event := <-events; event != "STOP" {
		t.Errorf("heard %q", event)
	}
	// The answer that came twice is not that of the next command.
	if err := m.execute(t.Context(), "cont", nil); err == nil || !strings.Contains(err.Error(), "not that") {
		t.Errorf("got %v", err)
	}
}

func TestMonitorPassesDescriptors(t *testing.T) {
	m, peer := testMonitor(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	passed := make(chan error, 1)
	go func() { passed <- m.pass(ctx, "memory", os.Stdout) }()
	data, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for {
		_, n, _, _, err := peer.ReadMsgUnix(data, rights)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			break
		}
	}
	cancel()
	if err := <-passed; !errors.Is(err, context.Canceled) {
		t.Errorf("a command that is not answered ends as %v", err)
	}
}

// Whatever QEMU says, a command ends.
func TestMonitorEnds(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "hello\n", "a line without end": strings.Repeat("x", maxMessage+1), "a list": "[]\n",
	} {
		t.Run(name, func(t *testing.T) {
			m, peer := testMonitor(t, nil)
			go func() {
				peer.Write([]byte(text))
				peer.CloseWrite()
			}()
			<-m.ended
			if err := m.execute(t.Context(), "stop", nil); err == nil {
				t.Error("a command succeeds")
			}
		})
	}
}
