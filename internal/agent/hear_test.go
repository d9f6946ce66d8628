package agent

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"banger/internal/agent/link"
)

// saying says a text, and that all went well.
func saying(text string) func(net.Conn) {
	return answering(func(c *link.Channel) {
		io.WriteString(c.Writer(link.Stdout), text)
		exit(c, 0)
	})
}

// A short text of a guest's could be very many things.
func TestGuestSaysTooMany(t *testing.T) {
	empty := strings.TrimSuffix(strings.Repeat("{},", 1<<20), ",")
	for what, ask := range map[string]func(string) error{
		"ports": func(list string) error { _, err := fake(t, saying(list)).Ports(t.Context()); return err },
		"processes": func(list string) error {
			_, err := fake(t, saying(`{"processes":`+list+"}")).Top(t.Context())
			return err
		},
		"files": func(list string) error {
			_, err := fake(t, saying(`{"entries":`+list+"}")).List(t.Context(), ".", false)
			return err
		},
	} {
		if err := ask("[" + empty + "]"); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: got %v", what, err)
		}
		for _, list := range []string{"[{}]", "[]", "null"} {
			if err := ask(list); err != nil {
				t.Errorf("%s of %s: %v", what, list, err)
			}
		}
	}
}

func TestGuestSays(t *testing.T) {
	top, err := fake(t, saying(`{"uptime_ms":7,"processes":[{"pid":1,"command":"init"}],"more":true}`)).Top(t.Context())
	if got := fmt.Sprintf("%d %s %t", top.UptimeMillis, top.Processes[0].Command, top.More); err != nil || got != "7 init true" {
		t.Errorf("got %s, %v", got, err)
	}
	l, err := fake(t, saying(`{"name":"d","path":"/d","type":"directory","entries":[{"name":"f","size":3}]}`)).List(t.Context(), "d", false)
	if got := fmt.Sprintf("%s %s %s %s %d", l.Name, l.Path, l.Type, l.Entries[0].Name, l.Entries[0].Size); err != nil || got != "d /d directory f 3" {
		t.Errorf("got %s, %v", got, err)
	}
}
