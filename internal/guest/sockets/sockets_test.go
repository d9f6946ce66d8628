package sockets

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

// This process's own listeners are found, with this process.
func TestListening(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("%s: %v", at, err)
			continue
		}
		defer l.Close()
		want := netip.MustParseAddrPort(l.Addr().String())
		found := false
		for _, p := range Listening("/proc") {
			if p.Address == want.Addr().String() && p.Port == want.Port() {
				found = true
				if p.PID != os.Getpid() || p.Process == "" {
					t.Errorf("%s is of process %d, %q", want, p.PID, p.Process)
				}
			}
		}
		if !found {
			t.Errorf("%s is not found", want)
		}
	}
}

func TestTable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 13 1
   3: xyz:0050 0:0 0A 0:0 0:0 0 0 0 14 1
   4: 0100007F:1F9000 0:0 0A 0:0 0:0 0 0 0 15 1
`
	got := inState(strings.NewReader(table), stateListen)
	if len(got) != 2 || got["11"].String() != "127.0.0.1:8080" || got["13"].String() != "[::1]:80" {
		t.Errorf("got %v", got)
	}
}

func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	if all := Ports("/proc"); !slices.Contains(all, port) || !slices.IsSorted(all) {
		t.Errorf("%d is not among %v", port, all)
	}
	if all := Ports(t.TempDir()); len(all) > 0 {
		t.Errorf("without a kernel there are %v", all)
	}
}

func TestDatagrams(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		conn, err := net.ListenPacket("udp", at)
		if err != nil {
			t.Logf("%s: %v", at, err)
			continue
		}
		defer conn.Close()
		is := netip.MustParseAddrPort(conn.LocalAddr().String())
		if got := Datagrams("/proc", is.Port()); !slices.Contains(got, is.Addr()) {
			t.Errorf("%s is not found: %v", is, got)
		}
	}
}
