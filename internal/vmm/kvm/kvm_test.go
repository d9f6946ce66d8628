package kvm

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProbeFindsNoKVM(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "kvm")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "there is no ",
		plain:                              "does not speak version 12",
		"/dev/null":                        "does not speak version 12",
	} {
		got := probe(t.Context(), device)
		if got.Works || !strings.Contains(got.Why, want) {
			t.Errorf("probe(%s) = %+v, want %q", device, got, want)
		}
	}
}

func TestProbeNamesTheRemedyForPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may open any device")
	}
	closed := filepath.Join(t.TempDir(), "kvm")
	if err := os.WriteFile(closed, nil, 0); err != nil {
		t.Fatal(err)
	}
	got := probe(t.Context(), closed)
	if got.Works || !strings.Contains(got.Why, "usermod -aG kvm") {
		t.Errorf("probe = %+v, want the group to join", got)
	}
}

// TestProbeHost holds for any host: a verdict, its reason, and nothing left.
func TestProbeHost(t *testing.T) {
	before := openFiles(t)
	got := Probe(t.Context())
	t.Logf("%+v", got)
	if got.Works != (got.Why == "") {
		t.Errorf("Probe = %+v: a reason goes with a refusal, and only with it", got)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	m := hostMachine(t)
	// An endless loop: jmp to itself.
	copy(m.memory[code:], []byte{0xeb, 0xfe})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := m.run(ctx); err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("run = %v, want that the guest got stuck", err)
	}
}

func TestRunTellsOfAFault(t *testing.T) {
	m := hostMachine(t)
	copy(m.memory[code:], []byte{0x0f, 0x0b}) // ud2
	if _, err := m.run(t.Context()); err == nil || !strings.Contains(err.Error(), "64-bit mode") {
		t.Errorf("run = %v, want that the guest could not go on", err)
	}
}

func hostMachine(t *testing.T) *machine {
	t.Helper()
	m, err := newMachine(Device)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Skipf("needs KVM: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	return m
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
