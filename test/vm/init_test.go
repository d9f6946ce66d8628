package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// initPrograms are what an image with each of these inits needs, and a shell.
const initPrograms = "openrc,sysvinit-core,runit,base-files,busybox-static,coreutils,dash,grep,mount,sed"

// down is what the last script of an init does: it says so on the disk.
const down = "echo down >>/said; mount -o remount,ro /"

// inits are inits and what they need to bring one service up, which is /run/up.
var inits = []struct {
	name  string            // that the guest is said to have
	links map[string]string // beside those of the packages
	files map[string]string
}{
	{
		"sysvinit", nil,
		map[string]string{
			"etc/inittab": "id:2:initdefault:\nup:2:once:/etc/up\ndown:6:wait:/etc/down\n",
			"etc/up":      "#!/bin/sh\ntouch /run/up\n",
			"etc/down":    "#!/bin/sh\n" + down + "\nbusybox reboot -f\n",
		},
	},
	{
		"openrc",
		map[string]string{
			"sbin/init": "openrc-init", "etc/runlevels/default/up": "/etc/init.d/up", "etc/runlevels/shutdown/down": "/etc/init.d/down",
		},
		map[string]string{
			"etc/init.d/up":   "#!/sbin/openrc-run\nstart() { touch /run/up; }\n",
			"etc/init.d/down": "#!/sbin/openrc-run\nstart() { " + down + "; }\n",
		},
	},
	{
		"runit-init",
		map[string]string{"sbin/init": "/lib/runit/runit-init", "sbin/reboot": "/lib/runit/shutdown"},
		map[string]string{
			"etc/runit/1":         "#!/bin/sh\ncp -a /etc/services /run\n", // where it can be written to until the end
			"etc/runit/2":         "#!/bin/sh\nexec runsvdir -P /run/services\n",
			"etc/runit/3":         "#!/bin/sh\n" + down + "\n",
			"etc/services/up/run": "#!/bin/sh\ntouch /run/up\nexec sleep 100000\n",
		},
	},
}

// An init that is not systemd brings its services up beside the agent and takes them
// down in order, also where it is told to before it has finished booting.
func TestInits(t *testing.T) {
	h := newHost(t)
	base := initsTar(t)
	for _, init := range inits {
		t.Run(init.name, func(t *testing.T) {
			tree := t.TempDir()
			for path, text := range init.files {
				h.must(os.MkdirAll(filepath.Dir(filepath.Join(tree, path)), 0o755))
				h.must(os.WriteFile(filepath.Join(tree, path), []byte(text), 0o755))
			}
			for path, target := range init.links {
				h.must(os.MkdirAll(filepath.Dir(filepath.Join(tree, path)), 0o755))
				h.must(os.Symlink(target, filepath.Join(tree, path)))
			}
			file := filepath.Join(t.TempDir(), "root.tar")
			run(t, "cp", base, file)
			run(t, "tar", "--append", "-f", file, "-C", tree, "--owner=0", "--group=0", "--format=posix", ".")
			h.ok("image", "pull", "tar:"+file, "--name", init.name, "--kernel-ref", "debian")
			h.ok("vm", "run", "-d", "--image", init.name, "--name", "box", "--", "sleep", "100000")
			for boot := range 2 {
				if r := h.banger("vm", "exec", "box", "--", "sh", "-c", "until [ -e /run/up ]; do sleep 0.1; done; exit 7"); r.code != 7 {
					t.Errorf("boot %d: exit %d, %s", boot, r.code, r.stderr)
				}
				h.wantOrderlyStop(t, init.name)
				h.ok("vm", "start", "box")
			}
			h.wantOrderlyStop(t, init.name) // right at the start
			h.ok("vm", "start", "box")
			if got := h.ok("vm", "exec", "box", "cat", "/said"); got != strings.Repeat("down\n", 3) {
				t.Errorf("the guest said %q", got)
			}
			h.ok("vm", "rm", "--force", "box")
		})
	}
}

func (h *host) wantOrderlyStop(t *testing.T, init string) {
	t.Helper()
	r := h.banger("vm", "stop", "--timeout", "2m", "box")
	state := h.show("box").State
	if r.code != 0 || r.stderr != "" || state.Reason != "stopped" || state.Guest.Init != init {
		t.Errorf("exit %d, %q: %+v\n%s", r.code, r.stderr, state, h.ok("vm", "logs", "--console", "box"))
	}
}

// initsTar is a tree of Debian's packages as they are, without their scripts run.
func initsTar(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../build/test/inits.tar")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	const trim = `rm -rf "$1"/etc/init.d/* "$1"/etc/runlevels/*/* "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale`
	half := strings.TrimSuffix(path, ".tar") + ".new.tar"
	mmdebstrap := exec.CommandContext(t.Context(), "mmdebstrap", "--quiet", "--variant=extract", "--include="+initPrograms,
		"--extract-hook="+trim, "bookworm", half)
	if out, err := mmdebstrap.CombinedOutput(); err != nil {
		t.Skipf("needs Debian's archive: %v: %s", err, out)
	}
	if err := os.Rename(half, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
}
