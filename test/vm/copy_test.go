package vm

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// One guest, for all that vm cp does.
func TestCopy(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	// systemd empties /tmp on its way up.
	h.ok("vm", "exec", "--wait-init", "box", "mkdir", "/srv/cp")
	t.Run("round trip", func(t *testing.T) { testCopyRoundTrip(t, h) })
	t.Run("docker's rules", func(t *testing.T) { testCopyRules(t, h) })
	t.Run("tars", func(t *testing.T) { testCopyTars(t, h) })
	t.Run("owners", func(t *testing.T) { testCopyOwners(t, h) })
	t.Run("interrupted", func(t *testing.T) { testCopyInterrupted(t, h) })
	t.Run("a disk that is full", func(t *testing.T) { testCopyFull(t, h) })
}

// awfulTree makes files of all kinds.
func (h *host) awfulTree(root string) {
	h.t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	h.must(os.MkdirAll(at("empty"), 0o700))
	h.must(os.MkdirAll(at(strings.Repeat("deep/", 200)), 0o755))
	for _, name := range []string{" ", "new\nline", "\x1b[31mred", "-rf", "*", "caf\xe9", strings.Repeat("n", 255)} {
		h.must(os.WriteFile(at("deep/"+name), []byte(name), 0o604))
	}
	h.must(os.WriteFile(at("large"), bytes.Repeat([]byte("0123456789"), 200_000), 0o640))
	h.must(unix.Setxattr(at("large"), "user.note", []byte("kept"), 0))
	h.must(os.Link(at("large"), at("deep/twin")))
	h.must(os.Symlink("large", at("link")))
	h.must(os.Symlink("/nowhere", at("dangling")))
	h.must(unix.Mkfifo(at("pipe"), 0o640))
	f, err := os.Create(at("holes"))
	h.must(err)
	defer f.Close()
	for _, offset := range []int64{0, 5 << 20, 100 << 20} {
		_, err := f.WriteAt([]byte("data"), offset)
		h.must(err)
	}
	h.must(f.Truncate(300 << 20))
	for i, name := range []string{"large", "empty", "deep"} {
		when := time.Unix(1_000_000_000, int64(i)*111_111_111)
		h.must(os.Chtimes(at(name), when, when))
	}
}

// treeFacts says of a tree what a copy is to keep.
func treeFacts(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if first[st.Ino] == "" {
			first[st.Ino] = name
		}
		fact := fmt.Sprintf("%q %o %d.%d like %q", name, st.Mode, st.Mtim.Sec, st.Mtim.Nsec, first[st.Ino])
		target, _ := os.Readlink(path)
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			note := make([]byte, 100)
			n, _ := unix.Lgetxattr(path, "user.note", note)
			fact += fmt.Sprintf(" %d bytes, holes %v, %q", st.Size, st.Blocks*512 < st.Size/2, note[:max(n, 0)])
		}
		all = append(all, fact+" "+target)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func testCopyRoundTrip(t *testing.T, h *host) {
	from, back := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "back")
	h.awfulTree(from)
	h.ok("vm", "cp", from, "box:/srv/cp/tree")
	h.ok("vm", "cp", "box:/srv/cp/tree", "box:/srv/cp/again") // from a guest to one
	h.ok("cp", "box:/srv/cp/again/.", back)
	if diff := cmp.Diff(treeFacts(t, from), treeFacts(t, back)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"large", "deep/caf\xe9"} {
		want, err := os.ReadFile(filepath.Join(from, name))
		h.must(err)
		if got, _ := os.ReadFile(filepath.Join(back, name)); !bytes.Equal(got, want) {
			t.Errorf("%q is another file now", name)
		}
	}
}

func testCopyRules(t *testing.T, h *host) {
	dir := t.TempDir()
	f := filepath.Join(dir, "f")
	h.must(os.WriteFile(f, []byte("text"), 0o600))
	h.must(os.Symlink("f", filepath.Join(dir, "l")))
	h.ok("vm", "cp", f, "box:") // to the user's home
	h.ok("vm", "cp", f, filepath.Join(dir, "l"), "box:/srv/cp")
	h.ok("vm", "cp", "-L", filepath.Join(dir, "l"), "box:/srv/cp/followed")
	got := h.ok("vm", "exec", "box", "--", "sh", "-c", "cat f; cd /srv/cp; stat -c ' %F' f l followed")
	if got != "text regular file\n symbolic link\n regular file\n" {
		t.Errorf("there is %q", got)
	}
	h.fails("the destination directory must exist", "vm", "cp", f, "box:/srv/none/")
	h.fails("the destination directory must exist", "vm", "cp", f, "box:/srv/none/f")
	h.fails("cannot copy a directory to a file", "vm", "cp", dir, "box:/srv/cp/f")
	h.fails("cannot copy a directory to a file", "vm", "cp", "box:/srv/cp", f)
	h.fails("the destination directory must exist", "vm", "cp", "box:/etc/hostname", dir+"/none/")
	h.fails("no such file", "vm", "cp", "box:/none", dir)
	h.fails("no such file", "vm", "cp", dir+"/none", "box:/srv")
	h.fails("within it", "vm", "cp", "box:/srv", "box:/srv/cp/x")
	h.fails("neither side is in a vm", "vm", "cp", f, dir+"/g")
	h.fails(`no vm is called "bix"`, "vm", "cp", "bix:/f", dir)
	h.ok("vm", "cp", "box:/srv/cp/f", "box:/etc/hostname", dir+"/")
	if got, _ := os.ReadFile(filepath.Join(dir, "hostname")); string(got) != "box\n" {
		t.Errorf("the guest's name is %q", got)
	}
}

func testCopyTars(t *testing.T, h *host) {
	r := h.banger("vm", "cp", "box:/etc/hostname", "-")
	names, err := tarNames(r.stdout)
	if err != nil || names != "hostname\n" {
		t.Errorf("the tar has %q: %v", names, err)
	}
	r = h.bangerWith(strings.NewReader(r.stdout), "vm", "cp", "-", "box:/srv/cp")
	if got := h.ok("vm", "exec", "box", "cat", "/srv/cp/hostname"); r.code != 0 || got != "box\n" {
		t.Errorf("%q came of %+v", got, r)
	}
	r = h.bangerWith(strings.NewReader("no tar"), "vm", "cp", "-", "box:/srv/cp")
	if r.code != 125 {
		t.Errorf("what is no tar: %+v", r)
	}
}

func tarNames(data string) (string, error) {
	cmd := exec.Command("tar", "-tf", "-")
	cmd.Stdin = strings.NewReader(data)
	out, err := cmd.Output()
	return string(out), err
}

func testCopyOwners(t *testing.T, h *host) {
	dir := t.TempDir()
	f := filepath.Join(dir, "f")
	h.must(os.WriteFile(f, nil, 0o600))
	h.must(os.Chmod(f, 0o755|fs.ModeSetuid))
	h.ok("vm", "cp", f, "box:/srv/cp/roots")
	h.ok("vm", "cp", "--user", "nobody", f, "box:/srv/cp/nobodys")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "cd /srv/cp; cp roots theirs; chown 1234:5678 theirs; chmod 4755 theirs")
	if got := h.ok("vm", "exec", "box", "stat", "-c", "%U %a", "/srv/cp/roots", "/srv/cp/nobodys"); got != "root 755\nnobody 755\n" {
		t.Errorf("there are %q", got)
	}
	h.ok("vm", "cp", "box:/srv/cp/theirs", dir+"/mine")
	h.ok("vm", "cp", "-a", "box:/srv/cp/theirs", dir+"/kept")
	var mine, kept unix.Stat_t
	h.must(unix.Stat(dir+"/mine", &mine))
	h.must(unix.Stat(dir+"/kept", &kept))
	if int(mine.Uid) != os.Getuid() || mine.Mode != unix.S_IFREG|0o755 {
		t.Errorf("mine is %d's, with mode %o", mine.Uid, mine.Mode)
	}
	if os.Getuid() == 0 && (kept.Uid != 1234 || kept.Gid != 5678 || kept.Mode != unix.S_IFREG|0o4755) {
		t.Errorf("what was kept is %d:%d's, with mode %o", kept.Uid, kept.Gid, kept.Mode)
	}
}

// ^C ends a copy, and leaves nothing of a file that has not come whole.
func testCopyInterrupted(t *testing.T, h *host) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := h.command(ctx, "vm", "cp", "-", "box:/srv/cp")
	stdin, err := cmd.StdinPipe()
	h.must(err)
	h.must(cmd.Start())
	w := tar.NewWriter(stdin)
	h.must(w.WriteHeader(&tar.Header{Name: "big", Size: 1 << 30, Mode: 0o644}))
	_, err = w.Write(make([]byte, 8<<20)) // more than what is on the way can hold
	h.must(err)
	h.must(cmd.Process.Signal(syscall.SIGINT))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("it ended with %d", code)
	}
	if r := h.banger("vm", "exec", "box", "--", "sh", "-c", "ls -A /srv/cp | grep -e big -e banger"); r.stdout != "" {
		t.Errorf("there is %q", r.stdout)
	}
}

// A full disk is said to be one, and a file that has no room is not there.
func testCopyFull(t *testing.T, h *host) {
	f := filepath.Join(t.TempDir(), "f")
	h.must(os.WriteFile(f, bytes.Repeat([]byte("x"), 3<<20), 0o600))
	h.ok("vm", "exec", "box", "--", "sh", "-c", "mkdir /srv/full && mount -t tmpfs -o size=2m none /srv/full && echo old >/srv/full/f")
	r := h.banger("vm", "cp", f, "box:/srv/full/f")
	if r.code != 125 || !strings.Contains(r.stderr, "free on the disk") {
		t.Errorf("got %+v", r)
	}
	if got := h.ok("vm", "exec", "box", "--", "sh", "-c", "cat /srv/full/f; ls -A /srv/full"); got != "old\nf\n" {
		t.Errorf("there is %q", got)
	}
}
