package network

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel copies as many bytes as its own struct rtentry has on 64 bits.
func TestRouteSize(t *testing.T) {
	if got := unsafe.Sizeof(route{}); got != 120 {
		t.Errorf("struct rtentry has %d bytes, want 120", got)
	}
}

// inNamespace gives the test's thread a network of its own, which ends with it.
func inNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: no other test gets the thread
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root to make a network namespace: %v", err)
	}
}

func TestUp(t *testing.T) {
	inNamespace(t)
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skip("needs the ip program of iproute2")
	}
	const mac, mtu, card = "02:00:00:00:00:07", 65520, "card0"
	// The peer, which comes first, is not the one.
	add := []string{"link", "add", "card1", "type", "veth", "peer", "name", card, "address", mac}
	if out, err := exec.Command(ip, add...).CombinedOutput(); err != nil {
		t.Skipf("needs virtual network cards: %v: %s", err, out)
	}
	if err := Up(mac, "192.168.127.2", "192.168.127.1", 24, mtu); err != nil {
		t.Fatal(err)
	}
	link, err := net.InterfaceByName(card)
	if err != nil || link.Flags&net.FlagUp == 0 || link.MTU != mtu {
		t.Errorf("card: %+v, %v", link, err)
	}
	addrs, err := link.Addrs()
	if err != nil || len(addrs) == 0 || addrs[0].String() != "192.168.127.2/24" {
		t.Errorf("addresses: %v, %v", addrs, err)
	}
	routes, err := os.ReadFile("/proc/thread-self/net/route")
	if err != nil || !strings.Contains(string(routes), card+"\t00000000\t017FA8C0\t0003") {
		t.Errorf("routes: %v\n%s", err, routes)
	}
	for _, more := range [][]string{{"10.1.0.2/24", "10.2.0.2/16"}, {"10.1.0.3/24"}, nil} {
		if err := SetAddresses(mac, more); err != nil {
			t.Fatal(err)
		}
		var got []string
		addrs, _ := link.Addrs()
		for _, a := range addrs {
			if strings.Contains(a.String(), ".") {
				got = append(got, a.String())
			}
		}
		if want := append([]string{"192.168.127.2/24"}, more...); !slices.Equal(got, want) {
			t.Errorf("with %q there are %q", more, got)
		}
	}
	if err := SetAddresses(mac, []string{"x"}); err == nil {
		t.Error("x is an address")
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil || lo.Flags&net.FlagUp == 0 {
		t.Errorf("lo: %+v, %v", lo, err)
	}
}

func TestUpWithoutCard(t *testing.T) {
	inNamespace(t)
	if err := Up("02:00:00:00:00:07", "192.168.127.2", "192.168.127.1", 24, 1500); !errors.Is(err, ErrNoCard) {
		t.Errorf("got %v, want ErrNoCard", err)
	}
}

func TestErrorsNameTheStep(t *testing.T) {
	inNamespace(t)
	s, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for want, err := range map[string]error{
		"find absent0: ":                        s.up("absent0"),
		"set the MTU of absent0 to 1500: ":      s.setMTU("absent0", 1500),
		"set 10.0.0.1 on absent0: ":             s.setAddr("absent0", unix.SIOCSIFADDR, netip.MustParseAddr("10.0.0.1")),
		"add a route by way of 192.168.127.1: ": s.addDefaultRoute(netip.MustParseAddr("192.168.127.1")),
		"set fe80::1 on absent0: ":              s.setAddr("absent0", unix.SIOCSIFADDR, netip.MustParseAddr("fe80::1")),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s...", err, want)
		}
	}
}
