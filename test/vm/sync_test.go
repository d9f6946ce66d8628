package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// One guest, for all that vm sync does.
func TestSync(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	dir := filepath.Join(t.TempDir(), "project")
	p := &synced{host: h, dir: dir}
	h.must(os.Mkdir(dir, 0o755))
	git(t, dir, "init", "-q")
	p.write(".gitignore", "ignored/\n")
	p.write("ignored/here", "x")
	p.write("src/a", "one")
	p.write("src/b", "two")
	h.must(os.Symlink("a", filepath.Join(dir, "src/link")))
	t.Run("the first time", func(t *testing.T) {
		p.want("", "vm", "sync", "--push", "--delete", "box", dir)
		p.want("one", "vm", "exec", "box", "cat", "project/src/link")
		p.want("", "vm", "sync", "box", dir) // which shows nothing
		if got := h.ok("vm", "exec", "box", "--", "sh", "-c", "ls -d project/.git project/ignored"+" 2>/dev/null; true"); got != "project/.git\n" {
			t.Errorf("there is %q", got)
		}
	})
	t.Run("both ways", func(t *testing.T) { p.testBothWays(t) })
	t.Run("a hostile guest", func(t *testing.T) { p.testHostile(t) })
	t.Run("conflicts", func(t *testing.T) { p.testConflicts(t) })
	t.Run("a patch", func(t *testing.T) { p.testPatch(t) })
	t.Run("killed", func(t *testing.T) { p.testKilled(t) })
	t.Run("a full disk", func(t *testing.T) { p.testFull(t) })
}

type synced struct {
	*host
	dir string
}

func git(t *testing.T, dir string, args ...string) (said string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (p *synced) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	p.must(os.MkdirAll(filepath.Dir(file), 0o755))
	p.must(os.WriteFile(file, []byte(text), 0o644))
}

func (p *synced) read(name string) string {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return "none"
	}
	return string(data)
}

// want runs a command that prints text, unless that is "" and it is one that changes
// something.
func (p *synced) want(text string, args ...string) {
	p.t.Helper()
	got := p.ok(args...)
	if got != text && (text != "" || !slices.Contains(args, "--push")) {
		p.t.Errorf("%v prints %q, want %q", args, got, text)
	}
}

func (p *synced) guest(script string) string {
	p.t.Helper()
	return p.ok("vm", "exec", "box", "--", "sh", "-ec", "cd project; "+script)
}

func (p *synced) testBothWays(t *testing.T) {
	p.guest("echo -n changed >src/a; chmod +x src/a; echo -n new >src/c; rm src/b; mkdir -p ignored; echo x >ignored/there")
	p.write("src/d", "from here")
	p.want("push  new      src/d\npull  changed  src/a\npull  removed  src/b\npull  new      src/c\n", "vm", "sync", "box", p.dir)
	p.want("push  new      src/d\npull  changed  src/a\npull  removed  src/b\npull  new      src/c\n", "vm", "sync", "--push", "--pull", "--delete", "-n", "box", p.dir)
	p.ok("vm", "sync", "--pull", "box", p.dir)
	if p.read("src/a") != "changed" || p.read("src/c") != "new" || p.read("src/b") != "two" || p.read("ignored/there") != "none" {
		t.Errorf("there are %q, %q, %q, %q", p.read("src/a"), p.read("src/c"), p.read("src/b"), p.read("ignored/there"))
	}
	if info, err := os.Stat(filepath.Join(p.dir, "src/a")); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("it is not executable: %v", err)
	}
	p.ok("vm", "sync", "--push", "--pull", "--delete", "box", p.dir)
	if got := p.guest("cat src/d; ls ignored"); got != "from herethere\n" || p.read("src/b") != "none" {
		t.Errorf("there is %q, and here %q", got, p.read("src/b"))
	}
	p.want("", "vm", "sync", "box", p.dir)
}

// Nothing that comes back runs on the host, or lands outside.
func (p *synced) testHostile(t *testing.T) {
	outside := filepath.Join(filepath.Dir(p.dir), "outside")
	p.guest(`mkdir -p .git/hooks sub/.git/hooks bare/objects bare/refs
		echo evil | tee .git/hooks/pre-commit sub/.git/config sub/.git/hooks/x bare/HEAD bare/config bare/objects/o bare/refs/r
		echo "[core] fsmonitor = evil" >>.git/config
		ln -s ` + outside + ` out; ln -s ../outside up; ln -s .git/hooks hooks; echo good >good`)
	r := p.banger("vm", "sync", "--pull", "box", p.dir)
	if r.code != 125 || !strings.Contains(r.stderr, "were refused") || p.read("good") != "good\n" {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{".git/hooks/pre-commit", "sub", "bare", "out", "up", "hooks", "../outside"} {
		if _, err := os.Lstat(filepath.Join(p.dir, name)); err == nil {
			t.Errorf("there is a %s", name)
		}
	}
	if strings.Contains(p.read(".git/config"), "evil") {
		t.Error("the configuration is the guest's")
	}
	p.guest("rm -rf sub bare out up hooks")
	p.want("", "vm", "sync", "box", p.dir)
}

func (p *synced) testConflicts(t *testing.T) {
	p.guest("echo -n theirs >src/a; rm src/c; echo -n kept >src/d")
	p.write("src/a", "ours")
	p.write("src/c", "ours too")
	p.must(os.Remove(filepath.Join(p.dir, "src/d")))
	r := p.banger("vm", "sync", "--push", "--pull", "--delete", "box", p.dir)
	if r.code != 125 || !strings.Contains(r.stderr, "changed on both sides") || !strings.Contains(r.stdout, "both  changed  src/a\n") {
		t.Errorf("%+v", r)
	}
	if got := p.guest("cat src/a; cat src/c"); got != "theirsours too" || p.read("src/a") != "ours" || p.read("src/d") != "kept" {
		t.Errorf("there is %q, and here are %q and %q", got, p.read("src/a"), p.read("src/d"))
	}
	p.ok("vm", "cp", filepath.Join(p.dir, "src/a"), "box:project/src/a")
	p.want("", "vm", "sync", "box", p.dir)
}

func (p *synced) testPatch(t *testing.T) {
	p.guest(`echo more >>src/a; printf '\0\1\2' >binary; rm src/d; echo x >"a name"`)
	patch := filepath.Join(t.TempDir(), "patch")
	p.ok("vm", "sync", "--patch", patch, "box", p.dir)
	if p.read("binary") != "none" {
		t.Error("a patch alone changes files")
	}
	git(t, p.dir, "apply", "--check", patch)
	git(t, p.dir, "apply", patch)
	if p.read("binary") != "\x00\x01\x02" || p.read("src/a") != "oursmore\n" || p.read("src/d") != "none" || p.read("a name") != "x\n" {
		t.Errorf("there are %q, %q, %q", p.read("binary"), p.read("src/a"), p.read("src/d"))
	}
	p.want("", "vm", "sync", "box", p.dir) // it is alike
}

// Whenever it is killed, each file is whole, the old one or the new one, and the next
// sync goes on.
func (p *synced) testKilled(t *testing.T) {
	text := strings.Repeat("x", 5000)
	for _, flag := range []string{"--push", "--pull"} {
		if flag == "--push" {
			for i := range 100 {
				p.write(fmt.Sprintf("many/%d", i), text)
			}
		} else {
			p.guest(`for f in many/*; do printf y >>$f; done`)
			text += "y"
		}
		for try := range 3 {
			cmd := p.command(t.Context(), "-q", "vm", "sync", flag, "box", p.dir)
			p.must(cmd.Start())
			time.Sleep(time.Duration(try) * 40 * time.Millisecond) // wherever that is in it
			cmd.Process.Kill()
			cmd.Wait()
			if flag == "--pull" {
				for i := range 100 {
					if n := len(p.read(fmt.Sprintf("many/%d", i))); n < 5000 {
						t.Fatalf("a file has %d bytes", n)
					}
				}
			}
		}
		p.ok("vm", "sync", flag, "box", p.dir)
		p.want("", "vm", "sync", "box", p.dir)
		if got := p.guest("cat many/99; ls -A many | wc -l"); got != text+"100\n" || p.read("many/99") != text {
			t.Errorf("after %s there are %d bytes, and here %d", flag, len(got), len(p.read("many/99")))
		}
	}
}

// A full disk is said to be one; what was there stays.
func (p *synced) testFull(t *testing.T) {
	p.ok("vm", "exec", "box", "--", "sh", "-ec", "mkdir full; mount -t tmpfs -o size=1m none full")
	small := filepath.Join(t.TempDir(), "small")
	p.must(os.Mkdir(small, 0o755))
	p.must(os.WriteFile(filepath.Join(small, "f"), []byte("old"), 0o644))
	p.ok("vm", "sync", "--push", "--to", "full/it", "box", small)
	p.must(os.WriteFile(filepath.Join(small, "f"), []byte(strings.Repeat("x", 3<<20)), 0o644))
	r := p.banger("vm", "sync", "--push", "--to", "full/it", "box", small)
	if got := p.ok("vm", "exec", "box", "cat", "full/it/f"); r.code != 125 || !strings.Contains(r.stderr, "free on the disk") || got != "old" {
		t.Errorf("%+v, and there is %q", r, got[:min(len(got), 100)])
	}
	p.ok("vm", "exec", "box", "mount", "-o", "remount,size=8m", "full")
	p.ok("vm", "sync", "--push", "--to", "full/it", "box", small)
}
