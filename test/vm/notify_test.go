package vm

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// manager hears what services say of themselves, as systemd does.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{t, conn}
}

func (m *manager) env() string { return "NOTIFY_SOCKET=" + m.conn.LocalAddr().String() }

// hears returns when a service has said want; what it says of other things does
// not count.
func (m *manager) hears(want string) {
	m.t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(patience))
	var all []string
	for said := make([]byte, 4096); ; {
		n, err := m.conn.Read(said)
		if err != nil {
			m.t.Fatalf("the service manager heard %q, %v, want %q", all, err, want)
		}
		all = append(all, strings.Split(string(said[:n]), "\n")...)
		if slices.Contains(all, want) {
			return
		}
	}
}
