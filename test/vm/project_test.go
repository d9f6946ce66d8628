package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A project's VM is made once, with what its file says, and comes up again as it
// was.
func TestProject(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := filepath.Join(t.TempDir(), "shop")
	h.must(os.MkdirAll(filepath.Join(dir, "below"), 0o755))
	h.must(os.WriteFile(filepath.Join(dir, "file"), []byte("here\n"), 0o644))
	file := func(more string) {
		h.must(os.WriteFile(filepath.Join(dir, "banger.toml"), []byte(`
name = "shop"
image = "debian"
`+more+`
[env]
A = "b c"
`), 0o644))
	}
	file(`setup = ["echo $A >> /root/setup; test -e /root/fixed"]
start = ["echo up >> /root/starts"]`)

	below := filepath.Join(dir, "below")
	h.fails("ended with the exit status 1", "up", "-C", below)
	h.ok("exec", "shop", "touch", "/root/fixed")
	if got := h.ok("up", "-C", below); got != "shop\n" { // the setup is begun anew
		t.Errorf("printed %q", got)
	}
	const look = "pwd; cat file; echo $A; cat /root/setup /root/starts 2>&1"
	got := h.ok("shell", "-C", below, "--", "sh", "-c", look)
	if !strings.HasPrefix(got, "/root/shop\nhere\nb c\nb c\nb c\n") {
		t.Errorf("in the VM it is %q", got)
	}
	h.ok("down", "-C", dir)
	h.ok("down", "-C", dir)
	file(`setup = []
cpus = 2`)
	if r := h.banger("up", "-C", dir); r.code != 0 || !strings.Contains(r.stderr, "up --recreate makes it anew") {
		t.Errorf("after a change: %+v", r)
	}
	if got := h.ok("shell", "-C", dir, "--", "sh", "-c", "nproc; cat file"); got != "2\nhere\n" {
		t.Errorf("after a change: %q", got)
	}
	h.ok("down", "-C", dir, "--rm")
	h.wantNothingLeft()
}
