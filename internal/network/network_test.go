package network

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/statedir"
)

func newStore(t *testing.T) *Store {
	return NewStore(statedir.Tree{Kind: "network", Dir: t.TempDir()})
}

func free() error { return nil }

func TestCreate(t *testing.T) {
	s := newStore(t)
	avoid := []netip.Prefix{netip.MustParsePrefix("10.210.1.7/24")}
	for _, tt := range []struct{ name, subnet, want, err string }{
		{"one", "", "10.210.0.0/24", ""},
		{"two", "", "10.210.2.0/24", ""}, // the host is in the one between
		{"three", "10.7.0.0/16", "10.7.0.0/16", ""},
		{"one", "", "", "already exists"},
		{"four", "10.7.3.0/24", "", `network "three" has`},
		{"four", "10.210.2.128/25", "", `network "two" has`},
		{"four", "8.8.8.0/24", "", "private"},
		{"four", "fd00::/64", "", "private"},
		{"four", "10.8.0.1/24", "", "10.8.0.0/24"},
		{"four", "10.0.0.0/8", "", "bits"},
		{"four", "10.8.0.0/30", "", "bits"},
		{"four", "192.168.0.0/16", "", "supervisor"},
		{"none", "", "", "none"},
		{"../x", "", "", "network name"},
	} {
		n := Network{Name: tt.name}
		if tt.subnet != "" {
			n.Subnet = netip.MustParsePrefix(tt.subnet)
		}
		n, err := s.Create(t.Context(), n, avoid)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s %s: %v, want ...%s", tt.name, tt.subnet, err, tt.err)
			}
		} else if err != nil || n.Subnet.String() != tt.want {
			t.Errorf("%s has %s, %v", tt.name, n.Subnet, err)
		}
	}
	all, err := s.List()
	if err != nil || len(all) != 3 || all[0].Name != "one" {
		t.Errorf("there are %v, %v", all, err)
	}
	var none *NotFoundError
	if _, err := s.Get("ona"); !errors.As(err, &none) || none.Nearest != "one" {
		t.Errorf("got %v", err)
	}
}

// One that cannot be read hides no other, is in nobody's way, and can be removed.
func TestDamaged(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"a", "damaged"} {
		if _, err := s.Create(t.Context(), Network{Name: name}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		s.tree.Path("damaged", statedir.NetworkFile): `{"subnet":"10.0.0.0/24","latest":{`, s.tree.Path("lost+found", "x"): "",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Name != "a" || all[1].Name != "damaged" || all[1].Subnet.IsValid() {
		t.Errorf("got %+v, %v", all, err)
	}
	if _, err := s.Create(t.Context(), Network{Name: "b"}, nil); err != nil {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), "damaged", free); err != nil {
		t.Error(err)
	}
}

func TestTake(t *testing.T) {
	s := newStore(t)
	if _, err := s.Create(t.Context(), Network{Name: "n", Subnet: netip.MustParsePrefix("10.1.0.0/29")}, nil); err != nil {
		t.Fatal(err)
	}
	var taken []netip.Addr
	for _, want := range []string{"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"} {
		p, err := s.Take("n", taken)
		if err != nil || p.String() != want+"/29" {
			t.Errorf("got %s, %v, want %s", p, err, want)
		}
		taken = append(taken, p.Addr())
	}
	if _, err := s.Take("n", taken); err == nil || !strings.Contains(err.Error(), "no address left") {
		t.Errorf("got %v", err)
	}
	// What came free is not taken again before the others.
	if p, _ := s.Take("n", taken[2:]); p.Addr().String() != "10.1.0.2" {
		t.Errorf("got %s", p)
	}
	if p, _ := s.Take("n", taken[2:]); p.Addr().String() != "10.1.0.3" {
		t.Errorf("got %s", p)
	}
}

func TestRemove(t *testing.T) {
	s := newStore(t)
	if _, err := s.Create(t.Context(), Network{Name: "n"}, nil); err != nil {
		t.Fatal(err)
	}
	used := errors.New("used")
	if err := s.Remove(t.Context(), "n", func() error { return used }); !errors.Is(err, used) {
		t.Errorf("got %v", err)
	}
	release, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Remove(ctx, "n", free); !errors.Is(err, context.Canceled) {
		t.Errorf("while a VM is given an address: %v", err)
	}
	release()
	if err := s.Remove(t.Context(), "n", free); err != nil {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), "n", free); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("got %v", err)
	}
}

func TestSockets(t *testing.T) {
	s := newStore(t)
	if _, err := s.Create(t.Context(), Network{Name: "n"}, nil); err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen("n", "vm")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := s.Dial(t.Context(), "n", "vm")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	l.Close()
	if conn, err := s.Dial(t.Context(), "n", "vm"); err == nil {
		conn.Close()
		t.Error("the socket outlives its listener")
	}
}
