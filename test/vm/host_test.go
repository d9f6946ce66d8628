// Package vm holds the tests that boot real guests by the banger that make
// built, as its users do. They need what make test provides and say so where
// it is missing.
package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds a banger command, so that a hang fails with its output. On a machine
// with eight times as much to do as it can, guests that are emulated need minutes.
const patience = 10 * time.Minute

// host is a user of banger on this machine.
type host struct {
	t    *testing.T
	home string
	bin  string // the banger that is used
	user string // "" is this process's
	env  []string
}

// newHost makes a user with an empty home but for the kernel and the image of
// the test fixtures.
func newHost(t *testing.T) *host {
	t.Helper()
	h := emptyHost(t)
	fixtures := os.Getenv("BANGER_TEST_HOME")
	for _, kind := range []string{"kernels", "images"} {
		from := filepath.Join(fixtures, ".local/state/banger", kind, "debian")
		to := filepath.Join(h.home, ".local/state/banger", kind)
		h.must(os.MkdirAll(to, 0o755))
		h.must(exec.Command("cp", "-a", "--link", from, to).Run()) // nothing writes to either
	}
	return h
}

// emptyHost makes a user who has nothing yet.
func emptyHost(t *testing.T) *host {
	t.Helper()
	if os.Getenv("BANGER_TEST_BIN") == "" {
		t.Skip("needs BANGER_TEST_BIN and BANGER_TEST_HOME: run make test")
	}
	h := &host{t: t, home: t.TempDir(), bin: os.Getenv("BANGER_TEST_BIN")}
	t.Cleanup(h.removeAll)
	return h
}

// as makes the home and banger's calls an ordinary user's. Root alone can.
func (h *host) as(user string) *host {
	h.t.Helper()
	if os.Getuid() != 0 {
		h.t.Skip("needs root, to become an ordinary user")
	}
	h.user = user
	own := h.home + ".own" // files of their own, so that the fixtures keep their owner
	h.must(exec.Command("cp", "-r", "--reflink=auto", "--sparse=always", h.home, own).Run())
	h.must(os.RemoveAll(h.home))
	h.must(os.Rename(own, h.home))
	h.must(exec.Command("chown", "-R", user, h.home).Run())
	for dir := h.home; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		h.must(err)
		if open := info.Mode() | 0o011; dir != h.home && open != info.Mode() {
			h.must(os.Chmod(dir, open))
		}
	}
	return h
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// result is what a banger command left.
type result struct {
	code           int
	stdout, stderr string
}

func (h *host) command(ctx context.Context, args ...string) *exec.Cmd {
	argv := append([]string{h.bin}, args...)
	if h.user != "" {
		argv = append([]string{"runuser", "-u", h.user, "--", "env", "HOME=" + h.home}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=" + h.home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	for _, name := range []string{"BANGER_VMM", "BANGER_FIRECRACKER_BIN", "BANGER_CPUS", "BANGER_WARM"} { // what the whole run is on
		if value, given := os.LookupEnv(name); given {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, h.env...)
	return cmd
}

// banger runs a command to its end.
func (h *host) banger(args ...string) result { return h.bangerWith(nil, args...) }

func (h *host) bangerWith(stdin io.Reader, args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := h.command(ctx, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	if ctx.Err() != nil {
		h.t.Fatalf("banger %s did not end:\n%s%s", strings.Join(args, " "), stdout.String(), stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// ok is banger for what has to succeed; it returns the standard output.
func (h *host) ok(args ...string) string {
	h.t.Helper()
	r := h.banger(args...)
	if r.code != 0 {
		h.t.Fatalf("banger %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// fails is banger for what has to fail with one line that holds text.
func (h *host) fails(text string, args ...string) {
	h.t.Helper()
	r := h.banger(args...)
	lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
	if last := lines[len(lines)-1]; r.code != 125 || !strings.Contains(last, text) || !strings.HasPrefix(last, "banger: ") {
		h.t.Errorf("banger %s: exit %d, said %q, want 125 and %q", strings.Join(args, " "), r.code, r.stderr, text)
	}
}

// needModules skips the test where the kernel has all its drivers built in.
func (h *host) needModules(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(h.home, ".local/state/banger/kernels/debian/modules")); err != nil {
		t.Skip("needs a kernel with modules")
	}
}

// boot makes a VM that stays.
func (h *host) boot(name string) {
	h.t.Helper()
	h.ok("vm", "run", "--image", "debian", "--name", name, "--", "true")
}

// stop stops a VM in order, however slow its guest is.
func (h *host) stop(name string) {
	h.t.Helper()
	h.ok("vm", "stop", "--timeout", "2m", name)
}

// shown is what vm show says of a VM, as far as tests look at it.
type shown struct {
	Networks []struct{ Network, Address string }
	State    struct {
		Phase, Reason string
		DiskError     string `json:"disk_error"`
		VMMPID        int    `json:"vmm_pid"`
		VMM           struct{ Backend, Accel, Why string }
		Guest         struct {
			Kernel, Init string
			Warnings     []string
		}
	}
}

func (h *host) show(name string) (v shown) {
	h.t.Helper()
	h.must(json.Unmarshal([]byte(h.ok("vm", "show", "--json", name)), &v))
	return v
}

// supervisorPID finds the supervisor of the VM "box".
func (h *host) supervisorPID() int { return h.supervisorOf("box") }

// supervisorOf finds a VM's supervisor, as the parent of its VMM.
func (h *host) supervisorOf(name string) int {
	h.t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(h.show(name).State.VMMPID), "stat"))
	h.must(err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	pid, err := strconv.Atoi(fields[1])
	h.must(err)
	return pid
}

// processes lists the processes that work for this host's VMs.
func (h *host) processes() []string {
	out, _ := exec.Command("pgrep", "-af", h.home).Output()
	var all []string
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "pgrep") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// vmFiles lists what is in the directory of the VMs.
func (h *host) vmFiles() []string {
	entries, _ := os.ReadDir(filepath.Join(h.home, ".local/state/banger/vms"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// wantNothingLeft fails where a VM, a part of one or a process is left. A VMM whose
// supervisor was killed gets its own SIGKILL from the kernel, and a moment to end by it.
func (h *host) wantNothingLeft() {
	h.t.Helper()
	if files := h.vmFiles(); len(files) > 0 {
		h.t.Errorf("left behind: files %q", files)
	}
	for deadline := time.Now().Add(time.Minute); len(h.processes()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("left behind: processes %q", h.processes())
		}
	}
}

func (h *host) removeAll() {
	for _, name := range h.vmFiles() {
		if !strings.HasPrefix(name, ".") {
			h.banger("vm", "rm", "--force", name)
		}
	}
}
