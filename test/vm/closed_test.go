package vm

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// devices makes a /dev of its own with what a program cannot do without, and
// what a test adds.
const devices = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9; "

// TestClosedHost runs banger where parts of the host are closed to it.
func TestClosedHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to close parts of the machine to an ordinary user")
	}
	h := newHost(t)
	user := h.as("nobody")
	fake := filepath.Join(user.home, "firecracker")
	h.must(os.WriteFile(fake, []byte("#!/bin/sh\necho Firecracker v1.14.0\n"), 0o755))
	const asUser = `exec runuser -u nobody -- "$@"`
	for name, test := range map[string]struct {
		script string // runs its arguments on such a host
		check  string // of doctor
		wants  []string
		run    string // what vm run --vmm firecracker says; "" is not asked
	}{
		"kvm absent": {devices + asUser, "kvm", []string{"there is no /dev/kvm"}, "there is no /dev/kvm"},
		"kvm closed": {
			devices + "mknod -m 600 /dev/kvm c 10 232; " + asUser, "kvm",
			[]string{"no permission to open /dev/kvm", "sudo usermod -aG kvm"}, "sudo usermod -aG kvm",
		},
		"tun absent": {devices + asUser, "jail", []string{"/dev/net/tun: no such file", "sudo modprobe tun"}, ""},
		"tun closed": {
			devices + "mkdir /dev/net; mknod -m 600 /dev/net/tun c 10 200; " + asUser, "jail",
			[]string{"/dev/net/tun: permission denied", "sudo chmod 666 /dev/net/tun"}, "",
		},
		"no user namespaces": {
			`exec unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh "$@"`, "jail",
			[]string{"make a user and a network namespace", "sudo sysctl kernel.unprivileged_userns_clone=1"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			user.t = t
			on := closedHost{user, test.script, fake}
			on.wantDoctor(test.check, test.wants)
			if test.run == "" {
				return
			}
			_, said := on.banger("vm", "run", "--vmm", "firecracker", "--image", "debian", "--", "true")
			if lines := strings.Split(strings.TrimSpace(said), "\n"); len(lines) != 1 || !strings.Contains(said, test.run) {
				t.Errorf("vm run says %q, want one line with %q", said, test.run)
			}
			user.wantNothingLeft()
		})
	}
	user.t = t
}

// closedHost is a host with parts that its user cannot reach.
type closedHost struct {
	*host
	script      string // runs its arguments there
	firecracker string
}

func (h closedHost) banger(args ...string) (stdout, stderr string) {
	script := []string{"--mount", "sh", "-c", h.script, "sh", "env", "HOME=" + h.home, "BANGER_FIRECRACKER_BIN=" + h.firecracker}
	cmd := exec.CommandContext(h.t.Context(), "unshare", append(append(script, h.bin), args...)...)
	cmd.Env = []string{"HOME=" + h.home, "PATH=" + os.Getenv("PATH")}
	var said strings.Builder
	cmd.Stderr = &said
	out, _ := cmd.Output() // what has to fail does
	return string(out), said.String()
}

// wantDoctor checks what doctor says of one thing.
func (h closedHost) wantDoctor(name string, wants []string) {
	h.t.Helper()
	out, said := h.banger("doctor", "--json")
	var checks []struct {
		Name, Found, Remedy string
		OK                  bool
	}
	if err := json.Unmarshal([]byte(out), &checks); err != nil {
		h.t.Fatal(err, said)
	}
	for _, c := range checks {
		for _, want := range wants {
			if c.Name == name && (c.OK || !strings.Contains(c.Found+"\n"+c.Remedy, want)) {
				h.t.Errorf("doctor says %+v, not %q", c, want)
			}
		}
	}
}
