package vm

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// machine is a systemd as PID 1 of namespaces of its own, with a journal and a
// manager of the superuser's own units. What it runs ends with it.
type machine struct {
	t     *testing.T
	units string // system/ and user/, kept over boots
	pid1  *exec.Cmd
}

// bootScript makes the file systems that systemd wants to be its own. Nothing of the
// host's can be written to but what the test has, in $1, and it has no unit of the
// host's: those clear up directories that are the host's too.
const bootScript = `set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t proc none /proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
mount -t tmpfs none /run
mkdir -p /run/test /run/systemd/system /run/user/0
chmod 700 /run/user/0
mount --bind "$1" /run/test
for dir in /tmp /var/tmp /var/log /var/lib/systemd; do mount -t tmpfs none "$dir"; done
mount -o remount,ro,bind /
mkdir -p "$1"
mount --bind /run/test "$1"
exec env -i PATH="$PATH" NOTIFY_SOCKET="$NOTIFY_SOCKET" SYSTEMD_UNIT_PATH="$2/system" container=test \
	/lib/systemd/systemd --system --unit=machine.target --log-target=journal
`

const machineTarget = `[Unit]
DefaultDependencies=no
Wants=systemd-journald.service users.service
`

const usersService = `[Unit]
DefaultDependencies=no
[Service]
Type=notify
ExecStart=/lib/systemd/systemd --user
Environment=XDG_RUNTIME_DIR=/run/user/0 SYSTEMD_UNIT_PATH=%s/user
Delegate=yes
`

func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for namespaces with a systemd in them")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		t.Skip("needs systemd")
	}
	m := &machine{t: t, units: t.TempDir()}
	m.write("system/machine.target", machineTarget)
	m.write("system/users.service", fmt.Sprintf(usersService, m.units))
	for _, target := range []string{"sysinit", "basic", "shutdown", "network-online", "multi-user", "default", "sockets"} {
		const empty = "[Unit]\nDefaultDependencies=no\n"
		m.write("system/"+target+".target", empty)
		m.write("user/"+target+".target", empty)
	}
	for _, unit := range []string{"systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"} {
		text, err := os.ReadFile(filepath.Join("/lib/systemd/system", unit))
		if err != nil {
			t.Skipf("needs systemd's journal: %v", err)
		}
		m.write("system/"+unit, string(text))
	}
	t.Cleanup(m.cut)
	return m
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.units, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// boot starts systemd, and returns when all that it is to start is up.
func (m *machine) boot() {
	m.t.Helper()
	m.pid1 = exec.Command("bash", "-c", bootScript, "bash", filepath.Dir(m.units), m.units)
	m.pid1.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWCGROUP | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	booted := newManager(m.t)
	m.pid1.Env = append(os.Environ(), booted.env())
	if err := m.pid1.Start(); err != nil {
		m.pid1 = nil
		m.t.Skipf("no namespaces with a systemd in them here: %v", err)
	}
	booted.hears("READY=1")
	go io.Copy(io.Discard, booted.conn) // it goes on to say things, and waits until they are heard
}

// cut takes the power away.
func (m *machine) cut() {
	if m.pid1 != nil {
		m.pid1.Process.Kill()
		m.pid1.Wait()
		m.pid1 = nil
	}
}

// command is a program on the machine.
func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	argv := append([]string{"-t", strconv.Itoa(m.pid1.Process.Pid), "-m", "-p", "-C", "-u", "--"}, args...)
	cmd := exec.CommandContext(ctx, "nsenter", argv...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR=/run/user/0", "SYSTEMD_PAGER=")
	cmd.WaitDelay = time.Second // for what nsenter has forked
	return cmd
}

// ok is command for what has to succeed; it returns what was printed.
func (m *machine) ok(args ...string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	out, err := m.command(ctx, args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// journal follows what the units named write, and returns what awaits a line.
func (m *machine) journal(match string) (await func(text string)) {
	m.t.Helper()
	follow := m.command(m.t.Context(), "journalctl", "--follow", "--no-tail", "--output=cat", match)
	out, err := follow.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		m.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	return func(text string) {
		m.t.Helper()
		var all []string
		for lines.Scan() {
			all = append(all, lines.Text())
			if lines.Text() == text {
				return
			}
		}
		m.t.Fatalf("%q did not come to the journal: %q", text, all)
	}
}

// What generate systemd writes is run by systemd: started when the guest is ready,
// restarted where banger is killed, and stopped in order, with its logs in the
// journal.
func TestSystemd(t *testing.T) {
	h := newHost(t)
	h.env = append(h.env, "XDG_STATE_HOME="+filepath.Join(h.home, ".local/state")) // which the unit repeats
	h.ok("vm", "create", "--name", "box", "--image", "debian")
	phase := func(want string) {
		t.Helper()
		if v := h.show("box"); v.State.Phase != want {
			t.Errorf("the VM is %+v, want %s", v.State, want)
		}
	}
	m := newMachine(t)
	m.write("system/box.service", h.ok("generate", "systemd", "--system", "box"))
	m.boot()
	await := m.journal("--unit=box")
	m.ok("systemctl", "start", "box")
	phase("running")
	await("Started box.service - VM box.")
	m.ok("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "box")
	await("Started box.service - VM box.") // again
	phase("running")
	if got := m.ok("systemctl", "show", "--property=NRestarts", "box"); got != "NRestarts=1\n" {
		t.Errorf("after a kill: %q", got)
	}
	m.ok("systemctl", "stop", "box")
	phase("stopped")
	if got := m.ok("systemctl", "show", "--property=Result,ExecMainStatus", "box"); got != "Result=success\nExecMainStatus=0\n" {
		t.Errorf("after a stop: %q", got)
	}
	h.ok("vm", "rm", "box")
	h.wantNothingLeft()
}
