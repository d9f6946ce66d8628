package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuestWithoutTimer boots kernels that go without a timer, as one does that
// was kept from its processor while it measured that: the guest boots again,
// but not for ever.
func TestGuestWithoutTimer(t *testing.T) {
	h := newHost(t)
	for _, tt := range []struct {
		name   string
		broken string // the shell's condition for a boot
		code   int
		stderr string
	}{
		{"once", "! -e $0.ran", 0, "booting once again: the kernel goes without a timer"},
		{"always", "-e $0", 125, "banger: the guest could not be set up: the kernel goes without a timer"},
	} {
		h.env = []string{"BANGER_QEMU_BIN=" + timerless(t, tt.broken)}
		r := h.banger("vm", "run", "--rm", "--vmm", "qemu", "--image", "debian", "--name", tt.name, "--", "true")
		if r.code != tt.code || !strings.Contains(r.stderr, tt.stderr) {
			t.Errorf("%s: got %d, %s", tt.name, r.code, r.stderr)
		}
	}
	h.env = nil
	h.wantNothingLeft()
}

// timerless is a QEMU whose guests find no timer where condition holds.
func timerless(t *testing.T, condition string) string {
	t.Helper()
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("needs QEMU: ", err)
	}
	path := filepath.Join(t.TempDir(), "qemu")
	script := fmt.Sprintf("#!/bin/bash\nif [[ $* == *quiet* && %s ]]; then\n\ttouch $0.ran\n\texec %s \"${@/quiet/quiet nolapic_timer}\"\nfi\nexec %s \"$@\"\n",
		condition, qemu, qemu)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
