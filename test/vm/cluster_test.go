package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// appsTar is a root file system of a few of Debian's packages, such as redis-server
// and git, and what those need, which scripts/fixtures.sh makes.
func appsTar(t *testing.T) string {
	t.Helper()
	path := filepath.Join(os.Getenv("BANGER_TEST_HOME"), "../apps.tar")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// redis has a VM's server do what is said to it, and returns its answers. It waits
// for the server.
func (h *host) redis(vm string, commands ...string) string {
	h.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		said := strings.NewReader(strings.Join(commands, "\n") + "\n")
		r := h.bangerWith(said, "vm", "exec", vm, "--", "redis-cli", "-h", vm)
		answered := strings.Count(r.stdout, "\n") >= len(commands)
		if r.code == 0 && answered && !strings.Contains(r.stdout, "LOADING") {
			return r.stdout
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: exit %d, %s%s", vm, r.code, r.stdout, r.stderr)
		}
	}
}

// Three VMs form a cluster by their names, each at an address of its own, go on
// without each, are whole again when it is back, and leave nothing.
func TestCluster(t *testing.T) {
	h := newHost(t)
	h.ok("image", "pull", "tar:"+appsTar(t), "--name", "apps", "--kernel-ref", "debian")
	h.ok("network", "create", "cluster", "--internal")
	server := strings.Fields("redis-server --protected-mode no --appendonly yes --appendfsync always --repl-diskless-sync-delay 0")
	for _, member := range []string{"db1", "db2 --replicaof db1 6379", "db3 --replicaof db1.banger.internal 6379"} {
		name, role, _ := strings.Cut(member, " ")
		run := strings.Fields("vm run -d --image apps --memory 128M --network cluster --name " + name + " --")
		h.ok(append(append(run, server...), strings.Fields(role)...)...)
	}
	// Which waits until so many have it.
	if got := h.redis("db1", "set word one", "wait 2 120000"); got != "OK\n2\n" {
		t.Fatalf("the cluster does not form: %q", got)
	}
	role := h.redis("db1", "role")
	for _, name := range []string{"db2", "db3"} {
		if at := h.addressIn(name, "cluster"); !strings.Contains(role, at+"\n") {
			t.Errorf("db1 does not see %s at %s: %q", name, at, role)
		}
		if got := h.redis(name, "get word"); got != "one\n" {
			t.Errorf("%s has %q", name, got)
		}
	}

	h.ok("vm", "stop", "db2")
	if got := h.redis("db1", "set word two", "wait 1 120000"); got != "OK\n1\n" {
		t.Errorf("without db2: %q", got)
	}
	h.ok("vm", "start", "db2")
	if got := h.redis("db1", "set more three", "wait 2 120000"); got != "OK\n2\n" {
		t.Errorf("with db2 again: %q", got)
	}
	if got := h.redis("db2", "get word", "get more"); got != "two\nthree\n" {
		t.Errorf("db2 has %q", got)
	}

	h.ok("vm", "stop", "db1")
	if got := h.redis("db3", "get word"); got != "two\n" {
		t.Errorf("without db1, db3 has %q", got)
	}
	h.ok("vm", "start", "db1")
	if got := h.redis("db1", "get word", "set last four", "wait 2 120000"); got != "two\nOK\n2\n" {
		t.Errorf("with db1 again: %q", got)
	}
	for _, name := range []string{"db1", "db2", "db3"} {
		h.ok("vm", "rm", "--force", name)
	}
	h.ok("network", "rm", "cluster")
	h.wantNothingLeft()
}
