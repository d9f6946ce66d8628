package ext4

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// item is an entry with its content.
type item struct {
	tar.Header
	content string
}

func file(name, content string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, content}
}

func dir(name string) item {
	return item{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}}
}

func link(name, target string) item {
	return item{Header: tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}}
}

func symlink(name, target string) item {
	return item{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}}
}

// build makes a file system and returns its path.
func build(t testing.TB, o Options, items ...item) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fs")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, o)
	if err != nil {
		return "", err
	}
	for _, i := range items {
		if err := w.Add(&i.Header, strings.NewReader(i.content)); err != nil {
			return "", err
		}
	}
	w.SetSeed([]byte("seed"))
	return path, w.Close()
}

func mustBuild(t testing.TB, items ...item) string {
	t.Helper()
	path, err := build(t, Options{Label: "test"}, items...)
	if err != nil {
		t.Fatal(err)
	}
	fsck(t, path)
	return path
}

// tool runs one of e2fsprogs' programs.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if _, err := os.Stat("/usr/sbin/" + name); err != nil {
			t.Skipf("needs %s (e2fsprogs)", name)
		}
		name = "/usr/sbin/" + name
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(out))
	}
	return string(out)
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// fsck fails unless e2fsck finds nothing at all to say.
func fsck(t testing.TB, path string) {
	t.Helper()
	out := tool(t, "e2fsck", "-fn", path)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 7 { // the version, five passes, the summary
		t.Errorf("e2fsck complains:\n%s", tail([]byte(out)))
	}
}

// debug asks debugfs.
func debug(t testing.TB, path, request string) string {
	t.Helper()
	return tool(t, "debugfs", "-R", request, path)
}

func wantContent(t testing.TB, path, name, content string) {
	t.Helper()
	if got := debug(t, path, "cat "+name); !strings.HasSuffix(got, content) || len(got) > len(content)+60 {
		t.Errorf("%s holds %d bytes that end in %q", name, len(got), tail([]byte(got)))
	}
}

func TestEmpty(t *testing.T) {
	path := mustBuild(t)
	info, err := os.Stat(path)
	if err != nil || info.Size() > 512<<10 {
		t.Errorf("an empty file system is %d bytes, %v", info.Size(), err)
	}
}

func TestKindsAndAttributes(t *testing.T) {
	when := time.Unix(1700000000, 123456789)
	device := func(name string, kind byte, major, minor int64) item {
		return item{Header: tar.Header{Typeflag: kind, Name: name, Mode: 0o660, Devmajor: major, Devminor: minor}}
	}
	suid := file("usr/bin/su", "#!")
	suid.Mode, suid.Uid, suid.Gid, suid.ModTime = 0o6755, 70000, 80000, when
	old, future := file("old", ""), file("future", "")
	old.ModTime, future.ModTime = time.Date(1935, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	root := dir(".")
	root.Mode = 0o1751
	path := mustBuild(t, root, dir("usr"), suid, old, future,
		symlink("fast", "usr/bin/su"), symlink("edge", strings.Repeat("e", 59)), symlink("slow", strings.Repeat("s/", 100)),
		device("null", tar.TypeChar, 1, 3), device("big", tar.TypeBlock, 259, 70000), device("pipe", tar.TypeFifo, 0, 0),
		link("su2", "usr/bin/su"), file("made/up/parents", "x"), file(strings.Repeat("n", 255), "long"), file("bytes\xff\xfe", "y"))
	tests := map[string][]string{
		"/":           {"Mode:  01751", "Type: directory"},
		"/usr/bin/su": {"Mode:  06755", "User: 70000", "Group: 80000", "Links: 2", "mtime: 0x6553f100:1d6f3454", "Size: 2"},
		"/su2":        {"Mode:  06755", "Links: 2"},
		"/fast":       {`Fast link dest: "usr/bin/su"`, "Mode:  0777"},
		"/edge":       {`Fast link dest: "` + strings.Repeat("e", 59)},
		"/slow":       {"Type: symlink", "Size: 200"},
		"/null":       {"Type: character special", "01:03"},
		"/big":        {"Type: block special", "259:70000"},
		"/pipe":       {"Type: FIFO"},
		"/made/up":    {"Mode:  0755", "User:     0", "Links: 2"},
		"/old":        {"mtime: 0xbe2a1800:00000000"},
		"/future":     {"mtime: 0xf48657"},
	}
	for name, wants := range tests {
		got := debug(t, path, "stat "+name)
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, got)
			}
		}
	}
	wantContent(t, path, "/slow", strings.Repeat("s/", 100))
	wantContent(t, path, "/made/up/parents", "x")
	wantContent(t, path, "/"+strings.Repeat("n", 255), "long")
}

func TestContentOfManySizes(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	var items []item
	for _, size := range []int{0, 1, 4095, 4096, 4097, 256 << 10, 256<<10 + 1, 3<<20 + 17} {
		content := make([]byte, size)
		random.Read(content)
		items = append(items, file(fmt.Sprint("f", size), string(content)))
	}
	path := mustBuild(t, items...)
	for _, i := range items {
		out := filepath.Join(t.TempDir(), "out")
		debug(t, path, "dump /"+i.Name+" "+out)
		if got, _ := os.ReadFile(out); string(got) != i.content {
			t.Errorf("%s came back with %d bytes", i.Name, len(got))
		}
	}
}

// holes reads as zeros but for a few blocks.
type holes struct {
	size, at int64
	data     map[int64]byte
}

func (h *holes) Read(p []byte) (int, error) {
	if h.at >= h.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), h.size-h.at))
	clear(p[:n])
	for at, b := range h.data {
		if at >= h.at && at < h.at+int64(n) {
			p[at-h.at] = b
		}
	}
	h.at += int64(n)
	return n, nil
}

func TestSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fs")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const size = 3<<30 + 5
	data := map[int64]byte{0: 'a', 1 << 30: 'b', size - 1: 'c'}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "sparse", Size: size}
	if err := w.Add(header, &holes{size: size, data: data}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fsck(t, path)
	if info, _ := f.Stat(); info.Size() > 1<<20 {
		t.Errorf("three blocks and holes take %d bytes", info.Size())
	}
	if got := debug(t, path, "stat /sparse"); !strings.Contains(got, "Blockcount: 24") || !strings.Contains(got, fmt.Sprint("Size: ", size)) {
		t.Error(got)
	}
}

// Every second block a hole: one extent for each of the others, in trees of
// all depths that matter.
func TestExtentTrees(t *testing.T) {
	for _, count := range []int{4, 5, 340, 341, 340 * 4, 340*4 + 1, 340*340 + 5} {
		data := map[int64]byte{}
		for i := range count {
			data[int64(i)*2*blockSize] = 'x'
		}
		path := filepath.Join(t.TempDir(), "fs")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWriter(f, Options{})
		if err != nil {
			t.Fatal(err)
		}
		size := int64(count) * 2 * blockSize
		if err := w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: size}, &comb{size: size}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		fsck(t, path)
	}
}

// comb has a byte in every second block.
type comb struct{ at, size int64 }

func (c *comb) Read(p []byte) (int, error) {
	if c.at >= c.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-c.at))
	clear(p[:n])
	for i := (2*blockSize - c.at%(2*blockSize)) % (2 * blockSize); i < int64(n); i += 2 * blockSize {
		p[i] = 'x'
	}
	c.at += int64(n)
	return n, nil
}

func TestXattrs(t *testing.T) {
	with := func(name string, attributes map[string]string) item {
		i := file(name, "content")
		i.PAXRecords = map[string]string{"unrelated": "x"}
		for key, value := range attributes {
			i.PAXRecords[paxXattrPrefix+key] = value
		}
		return i
	}
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	acl := "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" +
		"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
	path := mustBuild(t,
		with("ping", map[string]string{"security.capability": capability}),
		with("some", map[string]string{"user.a": "1", "user.bb": "", "trusted.c": "three"}),
		with("much", map[string]string{"user.big": strings.Repeat("v", 3000), "user.a": "x", "security.s": "y"}),
		with("acl", map[string]string{"system.posix_acl_access": acl}),
	)
	for request, want := range map[string]string{
		"ea_get -x /ping security.capability": "01 00 00 02 00 20",
		"ea_get /some user.a":                 "1",
		"ea_list /some":                       "user.bb (0)",
		"ea_get /much user.big":               strings.Repeat("v", 3000),
		"ea_get /much security.s":             "y",
		"ea_list /acl":                        "system.posix_acl_access",
	} {
		if got := debug(t, path, request); !strings.Contains(got, want) {
			t.Errorf("%s: got %q", request, tail([]byte(got)))
		}
	}
	bad := map[string]map[string]string{
		"too large":    {"user.a": strings.Repeat("v", 5000)},
		"no name":      {"user.": "x"},
		"damaged acl":  {"system.posix_acl_access": "xx"},
	}
	for what, attributes := range bad {
		var fault *EntryError
		if _, err := build(t, Options{}, with("f", attributes)); !errors.As(err, &fault) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestManyFiles(t *testing.T) {
	const count = 100_000
	items := make([]item, 0, count)
	for i := range count {
		items = append(items, file(fmt.Sprintf("dir/file-%06d", i), "x"))
	}
	path := mustBuild(t, items...)
	wantContent(t, path, "/dir/file-099999", "x")
}

func TestReplace(t *testing.T) {
	big := strings.Repeat("b", 100_000)
	directory := dir("d")
	directory.Mode = 0o700
	path := mustBuild(t,
		file("f", big), file("f", "new"), // a file by a file
		file("x", "1"), link("y", "x"), file("x", "2"), // one of two names
		dir("e"), file("e", "was a directory"),
		file("g", "was a file"), dir("g"), file("g/h", "below"),
		dir("d"), file("d/kept", "kept"), directory, // a directory by a directory
		symlink("s", "a"), symlink("s", "b"),
		link("f", "f"), // a link to itself
	)
	for name, content := range map[string]string{
		"/f": "new", "/x": "2", "/y": "1", "/e": "was a directory", "/g/h": "below", "/d/kept": "kept",
	} {
		wantContent(t, path, name, content)
	}
	if got := debug(t, path, "stat /d"); !strings.Contains(got, "Mode:  0700") {
		t.Error(got)
	}
}

func TestBadEntries(t *testing.T) {
	tests := map[string][]item{
		"name too long":          {file(strings.Repeat("n", 256), "")},
		"parent's name too long": {file(strings.Repeat("n", 256)+"/x", "")},
		"below a file":           {file("f", ""), file("f/x", "")},
		"below a symlink":        {symlink("l", "d"), dir("d"), file("l/x", "")},
		"full directory":         {file("d/x", ""), file("d", "")},
		"link to nothing":        {link("l", "absent")},
		"link to a directory":    {dir("d"), link("l", "d")},
		"empty symlink":          {symlink("l", "")},
		"huge symlink":           {symlink("l", strings.Repeat("l", 4096))},
		"unknown type":           {{Header: tar.Header{Typeflag: 'V', Name: "v"}}},
		"root as a file":         {file(".", "")},
		"dots":                   {file("a/../../x", "")},
	}
	for what, items := range tests {
		var fault *EntryError
		if _, err := build(t, Options{}, items...); !errors.As(err, &fault) {
			t.Errorf("%s: %v", what, err)
		}
	}
	short := file("f", "abc")
	short.Size = 4
	if _, err := build(t, Options{}, short); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("content cut short: %v", err)
	}
	if _, err := build(t, Options{Limit: 1 << 20}, file("f", strings.Repeat("x", 2<<20))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := build(t, Options{Label: strings.Repeat("l", 17)}); err == nil {
		t.Error("took a label that is too long")
	}
}

func TestDeterministic(t *testing.T) {
	items := []item{dir("a"), file("a/b", "c"), symlink("l", "a"), file("z", strings.Repeat("z", 9000))}
	one, err1 := os.ReadFile(mustBuild(t, items...))
	two, err2 := os.ReadFile(mustBuild(t, items...))
	if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
		t.Errorf("the same entries made different bytes: %v, %v", err1, err2)
	}
}

// Several groups, of which some begin with a superblock; and room to grow.
func TestGrow(t *testing.T) {
	random := rand.NewChaCha8([32]byte{2})
	content := make([]byte, 150<<20)
	random.Read(content)
	for _, size := range []int{1, 127 << 20, 128<<20 - 300<<10, 150 << 20} {
		path := mustBuild(t, file("f", string(content[:size])))
		info, _ := os.Stat(path)
		if slack := info.Size() - int64(size); slack > 1<<20 {
			t.Errorf("%d bytes take %d more", size, slack)
		}
		if err := os.Truncate(path, 1<<30); err != nil {
			t.Fatal(err)
		}
		tool(t, "e2fsck", "-fp", path)
		tool(t, "resize2fs", path)
		fsck(t, path)
		out := filepath.Join(t.TempDir(), "out")
		debug(t, path, "dump /f "+out)
		if got, _ := os.ReadFile(out); !bytes.Equal(got, content[:size]) {
			t.Errorf("%d bytes changed by growing", size)
		}
	}
}

func TestHasSuper(t *testing.T) {
	var got []uint32
	for g := range uint32(130) {
		if hasSuper(g) {
			got = append(got, g)
		}
	}
	if want := "[0 1 3 5 7 9 25 27 49 81 125]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestCheck(t *testing.T) {
	data, err := os.ReadFile(mustBuild(t, file("f", "x")))
	if err != nil {
		t.Fatal(err)
	}
	info, err := Check(bytes.NewReader(data))
	if err != nil || info.Label != "test" || info.Size != int64(len(data)) || len(info.UUID) != 32 || info.NeedsRecovery || info.HasErrors {
		t.Errorf("got %+v, %v", info, err)
	}
	for _, foreign := range [][]byte{nil, make([]byte, 100), make([]byte, 8192), data[:1500]} {
		if _, err := Check(bytes.NewReader(foreign)); !errors.Is(err, ErrNotExt4) {
			t.Errorf("%d foreign bytes: %v", len(foreign), err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(make([]byte, 2048))
	path, err := build(f, Options{}, file("f", "x"))
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:4096])
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := Check(bytes.NewReader(data))
		if err == nil && info.Size <= 0 {
			t.Errorf("got %+v", info)
		}
	})
}

// Whatever entries come, the result is whole or an error.
func FuzzAdd(f *testing.F) {
	f.Add("a", "b", byte(tar.TypeReg), "content")
	f.Add("a/b", "a", byte(tar.TypeLink), "")
	f.Add("a", "a/b", byte(tar.TypeDir), "x")
	f.Add(".", "/", byte(tar.TypeSymlink), "x")
	f.Fuzz(func(t *testing.T, one, two string, kind byte, content string) {
		path, err := build(t, Options{},
			file("a", "b"), file(one, content),
			item{tar.Header{Typeflag: kind, Name: two, Linkname: one, Size: int64(len(content))}, content},
			file(two, one))
		if err == nil {
			fsck(t, path)
		}
	})
}
