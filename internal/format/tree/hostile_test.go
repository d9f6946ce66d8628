package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// header is the bytes of a header that archive/tar would not write so.
func header(t testing.TB, h tar.Header, change func(block []byte)) []byte {
	t.Helper()
	var buf bytes.Buffer
	must(t, tar.NewWriter(&buf).WriteHeader(&h))
	block := buf.Bytes()
	if change != nil {
		change(block)
		copy(block[148:], "        ")
		sum := 0
		for _, b := range block[:512] {
			sum += int(b)
		}
		copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	}
	return block
}

// raw are an archive of nothing but its top, and bytes behind.
func raw(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	whole := archive(t, top)
	return append(whole[:len(whole)-1024], bytes.Join(parts, nil)...)
}

func sparseRecords(records ...string) map[string]string {
	all := map[string]string{"gnu.sparse.major": "1", "gnu.sparse.minor": "0"}
	for i := 0; i < len(records); i += 2 {
		all["gnu.sparse."+records[i]] = records[i+1]
	}
	return all
}

// sparse is a file of the form 1.0, as archive/tar would not write it.
func sparse(t testing.TB, content string, records ...string) []byte {
	t.Helper()
	data := archive(t, entry{name: "s", kind: tar.TypeReg, mode: 0o644, text: content, pax: sparseRecords(records...)})
	return bytes.ReplaceAll(data, []byte("gnu.sparse."), []byte("GNU.sparse."))
}

func deep(n int) string { return strings.Repeat("d/", n) + "f" }

// hostile are what a guest may answer to a copy out of it: no case writes a byte
// outside of the destination.
func hostile(t testing.TB) []hostileCase {
	was := map[string]string{"old": "-rw------- old", "kept": "drwx------"}
	with := func(more ...string) map[string]string {
		all := map[string]string{"old": was["old"], "kept": was["kept"]}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	a := func(entries ...entry) []byte { return archive(t, append([]entry{top}, entries...)...) }
	return []hostileCase{
		{"a name of the directory above", a(file("../escaped", "x")), "leads outside", was},
		{"a name by way of the one above", a(file("a/../../escaped", "x")), "leads outside", was},
		{"the directory above itself", a(folder("..", 0o777)), "leads outside", was},
		{"an absolute name", a(file("/escaped", "x")), "leads outside", was},
		{"an absolute name behind a dot", a(file(".//../escaped", "x")), "leads outside", was},
		{"no name", a(symlink("", "x")), "no directory", was},
		{"dots that are names", a(file("...", "x")), "", with("...", "-rw-r--r-- x")},
		{"a name that stays inside", a(file("a/../b", "x")), "", with("b", "-rw-r--r-- x")},
		{"through a link", a(symlink("l", ".."), file("l/escaped", "x")), "no directory", with("l", "Lrwxrwxrwx ..")},
		{"through an absolute link", a(symlink("l", "/tmp"), file("l/escaped", "x")), "no directory", with("l", "Lrwxrwxrwx /tmp")},
		{"through a link inside", a(folder("d", 0o755), symlink("l", "d"), file("l/f", "x")), "no directory", with("d", "drwxr-xr-x", "l", "Lrwxrwxrwx d")},
		{"a directory through a link", a(symlink("l", ".."), folder("l/escaped", 0o755)), "no directory", with("l", "Lrwxrwxrwx ..")},
		{"a directory where a link is", a(symlink("l", ".."), folder("l", 0o777)), "no directory", with("l", "Lrwxrwxrwx ..")},
		{"a directory where it made a file", a(file("a", "x"), file("a/b", "x")), "no directory", with("a", "-rw-r--r-- x")},
		{"a directory where a file was", a(folder("old", 0o755)), "no directory", was},
		{"a file where a directory was", a(file("kept", "x")), "there is a directory", was},
		{"a file where it made a directory", a(folder("d", 0o755), file("d/f", "x"), file("d", "x")), "there is a directory",
			with("d", "drwxr-xr-x", "d/f", "-rw-r--r-- x")},
		{"a file where a link is", a(symlink("l", "../secret"), file("l", "x")), "", with("l", "-rw-r--r-- x")},
		{"a link where a file is", a(file("f", "x"), symlink("f", "../secret")), "", with("f", "Lrwxrwxrwx ../secret")},
		{"a hard link to outside", a(hardLink("l", "../secret")), "leads outside", was},
		{"an absolute hard link", a(hardLink("l", "/etc/passwd")), "leads outside", was},
		{"a hard link through a link", a(symlink("d", ".."), hardLink("l", "d/secret")), "did not come before", with("d", "Lrwxrwxrwx ..")},
		{"a hard link through a link that is announced", a(symlink("d", ".."), linkedFile("e/secret", "x"), symlink("e2", ".."), hardLink("l", "e2/secret")),
			"did not come before", with("d", "Lrwxrwxrwx ..", "e", "drwxr-xr-x", "e/secret", "-rw-r--r-- x", "e2", "Lrwxrwxrwx ..")},
		{"a hard link to nothing", a(hardLink("l", "absent")), "did not come before", was},
		{"a hard link to what was there", a(hardLink("l", "old")), "did not come before", was},
		{"a hard link to a link to outside", a(entry{"s", tar.TypeSymlink, 0o777, "../secret", "", linked}, hardLink("h", "s"), file("h", "x")), "",
			with("s", "Lrwxrwxrwx ../secret", "h", "-rw-r--r-- x")},
		{"a hard link to what was replaced by a link", a(linkedFile("f", "x"), symlink("f", "../secret"), hardLink("h", "f"), file("h", "y")), "",
			with("f", "Lrwxrwxrwx ../secret", "h", "-rw-r--r-- y")},
		{"a hard link to itself", a(linkedFile("f", "x"), hardLink("f", "f")), "", with("f", "-rw-r--r-- x")},
		{"a hard link to a directory", a(folder("d", 0o755), hardLink("h", "d")), "did not come before", with("d", "drwxr-xr-x")},
		{"one name many times", a(file("f", "1"), file("f", "2"), linkedFile("f", "3"), hardLink("g", "f"), file("f", "4")), "",
			with("f", "-rw-r--r-- 4", "g", "-rw-r--r-- 3")},
		{"a character device", a(special("c", tar.TypeChar)), "", was},
		{"a block device", a(special("b", tar.TypeBlock)), "", was},
		{"a pipe", a(special("p", tar.TypeFifo)), "", with("p", "prw-r--r--")},
		{"a kind that no file has", a(special("x", 'Z')), "not for copying", was},
		{"a setuid file", a(entry{name: "su", kind: tar.TypeReg, mode: 0o6777, text: "x"}), "", with("su", "-rwxrwxrwx x")},
		{"a setgid directory", a(entry{name: "sg", kind: tar.TypeDir, mode: 0o6755}), "", with("sg", "drwxr-xr-x")},
		{"a mode for a directory that was there", a(folder("kept", 0o777), file("kept/f", "x")), "", with("kept/f", "-rw-r--r-- x")},
		{"a directory without rights", a(folder("no", 0), file("no/f", "x"), file("g", "x")), "", nil},
		{"modes with more bits than there are", a(entry{name: "m", kind: tar.TypeReg, mode: 0o7777777, text: "x"}), "", with("m", "-rwxrwxrwx x")},
		{"another top", archive(t, folder("other", 0o755), file("other/f", "x")), "does not begin", was},
		{"no top", archive(t, file("f", "x")), "does not begin", was},
		{"nothing", archive(t), "the tar is empty", was},
		{"no bytes", nil, "the tar is empty", was},
		{"no tar", bytes.Repeat([]byte("no tar "), 500), "invalid tar header", was},
		{"a second top", a(folder(".", 0o777), file("f", "x")), "", with("f", "-rw-r--r-- x")},
		{"a top that becomes a file", a(file(".", "x")), "no directory", was},
		{"a file of 4 EiB", raw(t, header(t, tar.Header{Name: "huge", Size: 1 << 62}, nil)), "larger than what is free", was},
		{"a file of the most bytes", raw(t, header(t, tar.Header{Name: "huge", Size: 1<<63 - 1}, nil)), "larger than what is free", was},
		{"a size below nothing", raw(t, header(t, tar.Header{Name: "less"}, func(b []byte) { copy(b[124:136], "-0000000001\x00") })), "invalid tar header", was},
		{"a size that is binary and negative", raw(t, header(t, tar.Header{Name: "less"}, func(b []byte) { copy(b[124:136], bytes.Repeat([]byte{0xff}, 12)) })), "invalid tar header", was},
		{"less content than it says", raw(t, header(t, tar.Header{Name: "short", Size: 1 << 20, Mode: 0o644}, nil), make([]byte, 512)), "unexpected EOF", was},
		{"a checksum that is wrong", raw(t, bytes.Repeat([]byte{'x'}, 1024)), "invalid tar header", was},
		{"a zero in a name", raw(t, bytes.ReplaceAll(archive(t, file("n\xffame", "x")), []byte("\xff"), []byte("\x00"))), "", nil},
		{"a name that is too deep", a(file(deep(maxDepth+1), "x")), "deeper than", was},
		{"a name that is far too deep", a(file(deep(200_000), "x")), "deeper than", was},
		{"a name that is too long", a(file(strings.Repeat("n", 256), "x")), "file name too long", was},
		{"a link that is too long", a(symlink("l", strings.Repeat("n", 1<<16))), "file name too long", was},
		{"a link to nothing", a(symlink("l", "")), "no such file", was},
		{"a name for terminals", a(file("\x1b]0;owned\a\x1b[2J", "x"), special("\x1b[31m", 'Z')), `\x1b[31m`, with("\x1b]0;owned\a\x1b[2J", "-rw-r--r-- x")},
		{"a name that is no text", a(file("\xff\xfe", "x")), "", with("\xff\xfe", "-rw-r--r-- x")},
		{"holes that overlap", append(raw(t), sparse(t, "2\n0\n100\n50\n100\n"+strings.Repeat("\x00", 700), "name", "s", "realsize", "1000")...), "ranges", was},
		{"a map of holes without end", append(raw(t), sparse(t, "9\n", "name", "s", "realsize", "1000")...), "", nil},
		{"a map of too many holes", append(raw(t), sparse(t, "4000000\n"+strings.Repeat("1\n0\n", 8<<20/4), "name", "s", "realsize", "10")...), "damaged", was},
		{"a name behind the holes", append(raw(t), sparse(t, "1\n0\n1\n"+strings.Repeat("\x00", 506)+"x", "name", "../escaped", "realsize", "1")...), "leads outside", was},
		{"an attribute of the kernel's", a(entry{"f", tar.TypeReg, 0o644, "", "x", map[string]string{xattrPrefix + "security.capability": "\x01\x00\x00\x02"}}), "",
			with("f", "-rw-r--r-- x")},
		{"an attribute that is too large", a(entry{"f", tar.TypeReg, 0o644, "", "x", map[string]string{xattrPrefix + "user.x": strings.Repeat("v", 1<<19)}}), "",
			with("f", "-rw-r--r-- x")},
		{"padding without end", append(a(file("f", "x")), make([]byte, 2*maxPadding)...), "does not end", with("f", "-rw-r--r-- x")},
	}
}

type hostileCase struct {
	name string
	data []byte
	err  string            // what its error says, "" for none
	want map[string]string // what is there then; nil is not looked at
}

// trap is a directory with what a copy must not touch beside its destination.
type trap struct{ parent, target string }

func newTrap(t testing.TB) trap {
	t.Helper()
	parent := t.TempDir()
	tr := trap{parent, filepath.Join(parent, "target")}
	must(t, os.Mkdir(tr.target, 0o755))
	must(t, os.Mkdir(filepath.Join(tr.target, "kept"), 0o700))
	must(t, os.WriteFile(filepath.Join(tr.target, "old"), []byte("old"), 0o600))
	must(t, os.WriteFile(filepath.Join(parent, "secret"), []byte("s"), 0o600))
	return tr
}

// check fails where something outside of the destination has changed, or something
// was made that is not to be.
func (tr trap) check(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(tr.parent)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("there are %v outside", entries)
	}
	var st unix.Stat_t
	must(t, unix.Lstat(filepath.Join(tr.parent, "secret"), &st))
	if got, _ := os.ReadFile(filepath.Join(tr.parent, "secret")); string(got) != "s" || st.Mode != unix.S_IFREG|0o600 || st.Nlink != 1 {
		t.Errorf("the file outside is now %q with mode %o and %d names", got, st.Mode, st.Nlink)
	}
	for _, path := range []string{"/escaped", "/tmp/escaped"} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	filepath.WalkDir(tr.target, func(path string, d fs.DirEntry, _ error) error {
		if d == nil || strings.Count(path, "/") > 500 {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil || info.Mode()&(fs.ModeDevice|fs.ModeSetuid|fs.ModeSetgid) != 0 || strings.HasPrefix(d.Name(), ".banger-") {
			t.Errorf("%s is %v, %v", path, info.Mode(), err)
		}
		if n, _ := unix.Lgetxattr(path, "security.capability", nil); n > 0 {
			t.Errorf("%s has capabilities", path)
		}
		return nil
	})
}

func TestHostile(t *testing.T) {
	cases := hostile(t)
	if len(cases) < 50 {
		t.Errorf("there are %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tr := newTrap(t)
			defer openUp(tr.target)
			err := Unpack(bytes.NewReader(c.data), Target{Path: tr.target}, UnpackOptions{Guarded: true})
			if c.err == "" && err != nil && c.want != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("the error is %v, want %q", err, c.err)
			}
			if c.want == nil {
				openUp(tr.target)
			} else if diff := cmp.Diff(c.want, described(t, tr.target)); diff != "" {
				t.Error(diff)
			}
			tr.check(t)
		})
	}
}

// A guest that was asked for a file may answer with a directory, and the other way
// about; what was asked for says what becomes of it.
func TestHostileKinds(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		to   string
		err  string
	}{
		"more behind a file":          {archive(t, file(".", "x"), file("f", "x")), "new", "below a file"},
		"a link to itself":            {archive(t, hardLink(".", ".")), "new", "itself"},
		"a directory for a file":      {archive(t, top), "old", "cannot copy a directory to a file"},
		"a file for a directory":      {archive(t, file(".", "x")), "new/", "must exist"},
		"a file in place of one":      {archive(t, file(".", "x")), "kept", "cannot copy a file to a directory"},
		"a link, and a file below it": {archive(t, symlink(".", "../.."), file("escaped", "x")), "new", "below a file"},
		"a device":                    {archive(t, special(".", tar.TypeChar)), "new", ""},
	} {
		tr := newTrap(t)
		err := Unpack(bytes.NewReader(c.data), Target{Path: tr.target + "/" + c.to}, UnpackOptions{Guarded: true})
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.err)
		}
		tr.check(t)
	}
}

// endless is a stream of one entry again and again.
type endless struct {
	entry []byte
	at    int
	left  int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.entry[e.at:])
	e.at = (e.at + n) % len(e.entry)
	e.left -= int64(n)
	return n, nil
}

// However much comes, little of it is kept.
func TestHostileMemory(t *testing.T) {
	one := func(e entry) []byte {
		whole := archive(t, e)
		return whole[:len(whole)-1024]
	}
	for name, e := range map[string][]byte{
		"one directory":  one(folder("d", 0o755)),
		"one file":       one(linkedFile("f", "x")),
		"long names":     one(file("d/../"+strings.Repeat("x/../", 50_000)+"f", "x")),
		"global headers": one(entry{name: "g", kind: tar.TypeXGlobalHeader, pax: map[string]string{"comment": strings.Repeat("c", 100_000)}}),
		"devices":        one(special("c", tar.TypeChar)),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begin := archive(t, top)
		r := io.MultiReader(bytes.NewReader(begin[:len(begin)-1024]), &endless{entry: e, left: int64(len(e)) * (4 << 20 / int64(len(e)))})
		if err := Unpack(r, Target{Path: newTrap(t).target}, UnpackOptions{Guarded: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
			t.Errorf("%s: %d bytes are kept", name, grown)
		}
	}
}

// Times may be any.
func TestHostileTimes(t *testing.T) {
	for _, sec := range []int64{-1 << 40, 0, 1 << 40, 1 << 60} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		h := &tar.Header{Name: ".", Typeflag: tar.TypeReg, ModTime: time.Unix(sec, 0), Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			continue // one that no tar has
		}
		must(t, w.Close())
		tr := newTrap(t)
		if err := Unpack(&buf, Target{Path: tr.target + "/f"}, UnpackOptions{Guarded: true}); err != nil {
			t.Errorf("%d: %v", sec, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, c := range hostile(f) {
		if len(c.data) < 64<<10 {
			f.Add(c.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []UnpackOptions{{Guarded: true}, {Replace: true}} {
			tr := newTrap(t)
			Unpack(bytes.NewReader(data), Target{Path: tr.target}, o)
			UnpackInto(bytes.NewReader(data), tr.target, false, o)
			openUp(tr.target)
			tr.check(t)
		}
		Rename(io.Discard, bytes.NewReader(data), "top")
	})
}
