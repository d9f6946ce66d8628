package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// awful makes a tree of all that a tree may have in it.
func awful(t testing.TB, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	must(t, os.MkdirAll(at("empty"), 0o700))
	must(t, os.MkdirAll(at(strings.Repeat("deep/", 300)), 0o755))
	must(t, os.MkdirAll(at("names"), 0o755))
	for _, name := range []string{" ", "new\nline", "\x1b[31mred", "-rf", "*", "caf\xe9", "ünï", "a\\b", "..x", strings.Repeat("n", 255)} {
		must(t, os.WriteFile(at("names/"+name), []byte(name), 0o644))
	}
	for mode := range fs.FileMode(0o10) {
		must(t, os.WriteFile(at(fmt.Sprintf("mode%o", mode)), nil, 0o600))
		must(t, os.Chmod(at(fmt.Sprintf("mode%o", mode)), 0o600|mode))
	}
	must(t, os.WriteFile(at("large"), bytes.Repeat([]byte("0123456789"), 100_000), 0o600))
	must(t, os.WriteFile(at("twin"), []byte("one file"), 0o600))
	must(t, os.Link(at("twin"), at("deep/twin")))
	must(t, os.Link(at("twin"), at("names/twin")))
	must(t, os.Symlink("twin", at("link")))
	must(t, os.Symlink("/nowhere/at all", at("dangling")))
	must(t, os.Link(at("dangling"), at("dangling2")))
	must(t, os.Symlink("..", at("up")))
	must(t, unix.Mkfifo(at("pipe"), 0o640))
	f, err := os.Create(at("holes"))
	must(t, err)
	defer f.Close()
	for _, offset := range []int64{0, 5 << 20, 100 << 20} {
		_, err := f.WriteAt([]byte("data"), offset)
		must(t, err)
	}
	must(t, f.Truncate(1<<30))
	must(t, os.Mkdir(at("closed"), 0o755))
	must(t, os.WriteFile(at("closed/f"), nil, 0o600))
	must(t, os.Chmod(at("closed"), 0o500))
	for i, name := range []string{"large", "twin", "names", "empty", "closed"} {
		when := time.Unix(1_000_000_000, int64(i)*1_111_111)
		must(t, os.Chtimes(at(name), when, when))
	}
}

// facts says of a tree all that a copy keeps.
func facts(t testing.TB, root string) []string {
	t.Helper()
	var all []string
	names := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		name, _ := filepath.Rel(root, path)
		if names[st.Ino] == "" {
			names[st.Ino] = name
		}
		target, _ := os.Readlink(path)
		fact := fmt.Sprintf("%q %o %d.%d first %q link %q", name, st.Mode, st.Mtim.Sec, st.Mtim.Nsec, names[st.Ino], target)
		if d.Type().IsRegular() {
			value := make([]byte, 100)
			n, _ := unix.Lgetxattr(path, "user.note", value)
			fact += fmt.Sprintf(" %d bytes in few blocks %v, noted %q", st.Size, st.Blocks*512 < 1<<21, value[:max(n, 0)])
		}
		all = append(all, fact)
		return nil
	})
	must(t, err)
	slices.Sort(all)
	return all
}

func TestRoundTrip(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	awful(t, from)
	if err := unix.Setxattr(filepath.Join(from, "large"), "user.note", []byte("a=b"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		t.Fatal(err)
	}
	defer openUp(from)
	defer openUp(to)
	for _, o := range []UnpackOptions{{Guarded: true}, {Replace: true}, {Keep: true}} {
		openUp(to)
		must(t, os.RemoveAll(to))
		var data bytes.Buffer
		must(t, Pack(&data, from, PackOptions{}))
		if data.Len() > 4<<20 {
			t.Errorf("the tar has %d bytes", data.Len())
		}
		must(t, Unpack(&data, Target{Path: to}, o))
		if diff := cmp.Diff(facts(t, from), facts(t, to)); diff != "" {
			t.Errorf("%+v: %s", o, diff)
		}
		for _, name := range []string{"large", "holes"} {
			want, _ := os.ReadFile(filepath.Join(from, "large"))
			got, err := os.ReadFile(filepath.Join(to, "large"))
			if err != nil || !bytes.Equal(want, got) {
				t.Errorf("%s is another file now: %v", name, err)
			}
		}
	}
}

// Under another name, the tar is one for any program.
func TestRename(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), t.TempDir()
	awful(t, from)
	defer openUp(from)
	defer openUp(to)
	var data, renamed bytes.Buffer
	must(t, Pack(&data, from, PackOptions{}))
	must(t, Rename(&renamed, &data, "top"))
	must(t, UnpackInto(&renamed, to, false, UnpackOptions{Replace: true}))
	if diff := cmp.Diff(facts(t, from), facts(t, filepath.Join(to, "top"))); diff != "" {
		t.Error(diff)
	}
}

func TestPackTop(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("text"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
	must(t, os.Symlink("f", filepath.Join(dir, "tofile")))
	must(t, os.Symlink("d", filepath.Join(dir, "todir")))
	socket, err := net.Listen("unix", filepath.Join(dir, "d/socket"))
	must(t, err)
	defer socket.Close()
	for _, c := range []struct {
		path   string
		follow bool
		want   string // the mode of what comes of it, or an error
	}{
		{"f", false, "-rw-------"}, {"f/", false, "not a directory"}, {"d", false, "drwx------"}, {"d/.", false, "drwx------"},
		{"tofile", false, "Lrwxrwxrwx"}, {"tofile", true, "-rw-------"}, {"todir", false, "Lrwxrwxrwx"}, {"todir", true, "drwx------"},
		{"todir/", false, "drwx------"}, {"todir/.", false, "drwx------"}, {"absent", false, "no such file"},
	} {
		var data bytes.Buffer
		var noted []string
		err := Pack(&data, dir+"/"+c.path, PackOptions{Follow: c.follow, Note: func(text string) { noted = append(noted, text) }})
		got := fmt.Sprint(err)
		if err == nil {
			to := filepath.Join(t.TempDir(), "to")
			must(t, Unpack(&data, Target{Path: to}, UnpackOptions{Guarded: true}))
			info, err := os.Lstat(to)
			must(t, err)
			got = info.Mode().String()
			if sockets := strings.Contains(strings.Join(noted, " "), "socket"); sockets != info.IsDir() {
				t.Errorf("%s: noted %q", c.path, noted)
			}
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s, %v: %s, want %s", c.path, c.follow, got, c.want)
		}
	}
}

// What the kernel shows says a size that it does not have, and some of it nobody may
// read.
func TestPackWhatTheKernelShows(t *testing.T) {
	to := t.TempDir()
	pack := func(from string) (name string, err error) {
		var data bytes.Buffer
		if err := Pack(&data, from, PackOptions{}); err != nil {
			return "", err
		}
		name = filepath.Join(to, filepath.Base(from))
		return name, Unpack(&data, Target{Path: name}, UnpackOptions{Guarded: true})
	}
	for from, below := range map[string]string{
		"/proc/version": "", "/sys/class/net/lo/address": "", "/sys/class/net/lo/": "address", "/proc/sys/net/ipv4": "ip_forward",
	} {
		name, err := pack(from)
		must(t, err)
		want, err := os.ReadFile(filepath.Join(from, below))
		must(t, err)
		if got, err := os.ReadFile(filepath.Join(name, below)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s %s: %q, %v", from, below, got, err)
		}
	}
	for from, want := range map[string]string{"/proc/self/mem": "input/output error", "/proc/self/pagemap": "does not say how much"} {
		if _, err := pack(from); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// docker cp's rules, by its own words.
func TestTarget(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	must(t, os.MkdirAll(filepath.Join(dir, "dir/srcdir"), 0o700))
	must(t, os.MkdirAll(filepath.Join(dir, "dir/taken"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "dir/srcfile"), nil, 0o600))
	must(t, os.Symlink("file", filepath.Join(dir, "tofile")))
	must(t, os.Symlink("dir", filepath.Join(dir, "todir")))
	for from, to := range map[string]string{
		"dangling": "nowhere", "dir/todangling": "taken/../taken/dangling", "dir/taken/dangling": "nowhere", "round": "round", "beyond": "no/where",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, from)))
	}
	for _, c := range []struct {
		isDir    bool
		path     string
		name     string
		into     bool
		want     string // below dir
		complain string
	}{
		{false, "new", "f", false, "new", ""},
		{false, "new/", "f", false, "", "the destination directory must exist"},
		{false, "file", "f", false, "file", ""},
		{false, "file/", "f", false, "", "no directory"},
		{false, "tofile", "f", false, "file", ""},
		{false, "dangling", "f", false, "nowhere", ""},
		{false, "dangling/", "f", false, "", "the destination directory must exist"},
		{false, "todir/todangling", "f", false, "dir/taken/nowhere", ""},
		{false, "round", "f", false, "", "too many levels"},
		{true, "dangling", "d", false, "nowhere", ""},
		{true, "beyond", "d", false, "", "the destination directory must exist"},
		{false, "dir", "f", false, "dir/f", ""},
		{false, "dir/", "f", false, "dir/f", ""},
		{false, "todir", "f", false, "todir/f", ""},
		{false, "dir", "srcfile", false, "dir/srcfile", ""},
		{false, "dir", "taken", false, "", "cannot copy a file to a directory"},
		{false, "no/new", "f", false, "", "the destination directory must exist"},
		{false, "file/new", "f", false, "", "the destination directory must exist"},
		{false, "new", "f", true, "", "the destination directory must exist"},
		{false, "file", "f", true, "", "no directory"},
		{true, "new", "d", false, "new", ""},
		{true, "new/", "d", false, "new", ""},
		{true, "file", "d", false, "", "cannot copy a directory to a file"},
		{true, "dir", "d", false, "dir/d", ""},
		{true, "dir", "srcdir", false, "dir/srcdir", ""},
		{true, "dir", "srcfile", false, "", "cannot copy a directory to a file"},
		{true, "dir", "", false, "dir", ""},
		{true, "new", "", false, "new", ""},
		{true, "no/new", "d", false, "", "the destination directory must exist"},
		{true, "new", "d", true, "", "the destination directory must exist"},
	} {
		got, err := Target{Path: dir + "/" + c.path, Name: c.name, Into: c.into}.resolve(c.isDir)
		said := fmt.Sprint(err)
		if c.complain == "" && (err != nil || got != dir+"/"+c.want) || c.complain != "" && !strings.Contains(said, c.complain) {
			t.Errorf("%+v: %s, %s", c, got, said)
		}
	}
}
