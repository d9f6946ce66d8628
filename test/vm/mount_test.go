package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// directories returns as many new ones of the host's.
func directories(t *testing.T, n int) []string {
	dirs := make([]string, n)
	for i := range dirs {
		dirs[i] = t.TempDir()
		if err := os.Chmod(dirs[i], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

// A guest has directories of the host before its init runs, works in them as on a
// disk, and changes nothing that is only to be read.
func TestMounts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dirs := directories(t, 4)
	work, only, lost, served := dirs[0], dirs[1], dirs[2], dirs[3]
	h.must(os.WriteFile(filepath.Join(only, "file"), []byte("read me"), 0o644))
	h.must(os.WriteFile(filepath.Join(lost, "file"), nil, 0o644))
	h.must(os.WriteFile(filepath.Join(work, "mounted"), []byte(h.programOf("mounted")), 0o755))
	h.ok("vm", "create", "--image", "debian", "--name", "box",
		"--mount", work+":/home/dev/work", "--mount", only+":/tmp/deep/only:ro", "--mount", lost+":/opt/lost", "--mount", served)
	h.ok("start", "box")
	if got := h.ok("exec", "box", "/home/dev/work/mounted", "/home/dev/work"); got != "all is well\n" {
		t.Errorf("in the guest: %s", got)
	}
	h.ok("exec", "box", "sh", "-c", "echo guest > "+served+"/from-guest")
	if got, err := os.ReadFile(filepath.Join(served, "from-guest")); string(got) != "guest\n" {
		t.Errorf("on the host: %q, %v", got, err)
	}
	testOnlyRead(h, only)
	testSeen(h, served)
	h.fails("mounted", "vm", "snapshot", "create", "box")
	testHostGone(t, h, lost)
	testServerGone(h, served)
	if got := h.ok("vm", "show", "box"); !strings.Contains(got, only+":/tmp/deep/only:ro") {
		t.Errorf("showed %s", got)
	}
	h.ok("vm", "pause", "box")
	h.ok("vm", "resume", "box")
	h.ok("exec", "box", "cat", "/tmp/deep/only/file")

	awaitServers := h.awaitServers()
	h.ok("vm", "stop", "--timeout", "90s", "box")
	awaitServers()
	h.fails("no such file", "start", "box")
	h.ok("vm", "set", "--mount", only+":/srv/only", "box")
	h.ok("start", "box")
	if got := h.ok("exec", "box", "cat", "/srv/only/file"); got != "read me" {
		t.Errorf("after another start: %q", got)
	}
	awaitServers = h.awaitServers()
	pid := h.supervisorPID()
	supervisor, err := pidfd(pid)
	h.must(err)
	h.must(unix.Kill(pid, unix.SIGKILL))
	awaitEnd(t, supervisor)
	awaitServers()
	h.ok("vm", "rm", "box")
	h.wantNothingLeft()
}

// servers are the processes that serve directories to the VM "box".
func (h *host) servers() (pids []int) {
	out, _ := exec.Command("pgrep", "-P", strconv.Itoa(h.supervisorPID()), "-f", "internal share").Output()
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		h.must(err)
		pids = append(pids, pid)
	}
	return pids
}

// awaitServers returns what waits until the servers of now have ended.
func (h *host) awaitServers() func() {
	var all []*os.File
	for _, pid := range h.servers() {
		server, err := pidfd(pid)
		h.must(err)
		all = append(all, server)
	}
	if len(all) == 0 {
		h.t.Error("there is no server")
	}
	return func() {
		for _, server := range all {
			awaitEnd(h.t, server)
		}
	}
}

func testOnlyRead(h *host, only string) {
	h.ok("exec", "box", "sh", "-c", `cd /tmp/deep/only && [ "$(cat file)" = "read me" ]
		mount -o remount,rw /tmp/deep/only
		! touch new && ! rm file && ! mv file other && ! chmod 777 file && ! sh -c 'echo x >> file'`)
	entries, err := os.ReadDir(only)
	if err != nil || len(entries) != 1 {
		h.t.Errorf("what is only to be read has changed: %v, %v", entries, err)
	}
}

// testSeen has the guest see what the host does, within a second and what a loaded
// machine adds: sooner than it would by itself.
func testSeen(h *host, dir string) {
	h.ok("exec", "box", "sh", "-c", "! [ -e "+dir+"/news ]") // which it remembers
	look := `for i in $(seq 900); do [ "$(cat ` + dir + `/news 2>/dev/null)" = "$1" ] && exit 0; sleep 0.1; done; exit 1`
	for _, text := range []string{"first", "second"} {
		draft := filepath.Join(dir, "draft")
		h.must(os.WriteFile(draft, []byte(text), 0o644))
		h.must(os.Rename(draft, filepath.Join(dir, "news")))
		h.ok("exec", "box", "sh", "-c", look, "look", text)
	}
	h.must(os.WriteFile(filepath.Join(dir, "news"), []byte("in place"), 0o644))
	h.ok("exec", "box", "sh", "-c", look, "look", "in place")
	h.must(os.Remove(filepath.Join(dir, "news")))
	h.ok("exec", "box", "sh", "-c", look, "look", "")
}

// testHostGone takes a directory away.
func testHostGone(t *testing.T, h *host, dir string) {
	h.must(os.RemoveAll(dir))
	// The guest's kernel believes for a moment what it was told before.
	h.ok("exec", "box", "sh", "-c", "for i in $(seq 900); do cat /opt/lost/file 2>/dev/null || break; sleep 0.1; done")
	r := h.banger("exec", "box", "sh", "-c", "cat /opt/lost/file; touch /opt/lost/new")
	if r.code == 0 || !strings.Contains(r.stderr, "Input/output error") {
		t.Errorf("what is gone: %+v", r)
	}
}

// testServerGone kills a server.
func testServerGone(h *host, dir string) {
	for _, pid := range h.servers() {
		if link, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", pid)); link == dir {
			h.must(unix.Kill(pid, unix.SIGKILL))
		}
	}
	h.ok("exec", "box", "sh", "-c", `for i in $(seq 900); do ls `+dir+` >/dev/null 2>&1 || break; sleep 0.1; done; ! ls `+dir)
}
