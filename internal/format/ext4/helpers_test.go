package ext4

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

func device(name string, kind byte, major, minor int64) item {
	return item{Header: tar.Header{Typeflag: kind, Name: name, Mode: 0o660, Devmajor: major, Devminor: minor}}
}

// with gives an entry extended attributes.
func with(i item, attributes map[string]string) item {
	i.PAXRecords = map[string]string{"unrelated": "x"}
	for key, value := range attributes {
		i.PAXRecords[paxXattrPrefix+key] = value
	}
	return i
}

// newFile makes a file to write to, and a writer to it.
func newFile(t testing.TB, o Options) (string, *Writer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fs")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w, err := NewWriter(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return path, w
}

// build makes a file system and returns its path.
func build(t testing.TB, o Options, items ...item) (string, error) {
	t.Helper()
	path, w := newFile(t, o)
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

// mustFail checks that the entries are refused, and that it is the last one
// that is to blame.
func mustFail(t *testing.T, what string, items ...item) {
	t.Helper()
	_, err := build(t, Options{}, items...)
	fault, ok := errors.AsType[*EntryError](err)
	if !ok {
		t.Errorf("%s: %v", what, err)
	} else if fault.Name != items[len(items)-1].Name {
		t.Errorf("%s: %v is of another entry", what, err)
	}
}

// tool runs one of e2fsprogs' programs.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	path := findTool(name)
	if path == "" {
		t.Skipf("needs %s, of e2fsprogs", name)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(out))
	}
	return string(out)
}

// findTool looks where ordinary users' PATH does not lead, too.
func findTool(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
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
	_, answer, _ := strings.Cut(tool(t, "debugfs", "-R", request, path), "\n") // after its version
	return answer
}

// wantStat checks that debugfs says some things of a file.
func wantStat(t *testing.T, path, name string, wants ...string) {
	t.Helper()
	got := debug(t, path, "stat "+name)
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q is not in\n%s", name, want, got)
		}
	}
}

func wantContent(t testing.TB, path, name, content string) {
	t.Helper()
	if got := debug(t, path, "cat "+name); got != content {
		t.Errorf("%s holds %d bytes that end in %q", name, len(got), tail([]byte(got)))
	}
}

// memory is a File that remembers what was written, and may have no room.
type memory struct {
	data []byte
	room int64 // 0 is no limit
}

var errNoRoom = errors.New("no room")

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	end := at + int64(len(p))
	if m.room > 0 && end > m.room {
		return 0, errNoRoom
	}
	if end > int64(len(m.data)) {
		m.data = append(m.data, make([]byte, end-int64(len(m.data)))...)
	}
	return copy(m.data[at:], p), nil
}

func (m *memory) Truncate(size int64) error {
	if size < int64(len(m.data)) {
		m.data = m.data[:size]
		return nil
	}
	_, err := m.WriteAt(make([]byte, size-int64(len(m.data))), int64(len(m.data)))
	return err
}

// inMemory makes a small file system without touching the disk.
func inMemory(t testing.TB, items ...item) []byte {
	t.Helper()
	m := &memory{}
	w, err := NewWriter(m, Options{Label: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if err := w.Add(&i.Header, strings.NewReader(i.content)); err != nil {
			t.Fatal(err)
		}
	}
	w.SetSeed([]byte("seed"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m.data
}

// islands is content of zeros but for some blocks, each full of a letter.
type islands struct {
	blocks map[int64]byte
	size   int64 // blocks
	at     int64 // bytes
}

func (c *islands) Read(to []byte) (int, error) {
	left := c.size*blockSize - c.at
	if left == 0 {
		return 0, io.EOF
	}
	to = to[:min(int64(len(to)), left)]
	clear(to)
	for block, letter := range c.blocks {
		from, end := max(block*blockSize-c.at, 0), min((block+1)*blockSize-c.at, int64(len(to)))
		for i := from; i < end; i++ {
			to[i] = letter
		}
	}
	c.at += int64(len(to))
	return len(to), nil
}

// addIslands adds a file of a number of blocks.
func addIslands(t *testing.T, w *Writer, name string, size int64, blocks map[int64]byte) {
	t.Helper()
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size * blockSize}
	if err := w.Add(h, &islands{blocks: blocks, size: size}); err != nil {
		t.Fatal(err)
	}
}

// comb has a block of text and a hole in turn, count times.
func comb(name string, count int) item {
	return file(name, strings.Repeat(strings.Repeat("x", blockSize)+strings.Repeat("\x00", blockSize), count))
}

// finish closes the writer and has the result checked.
func finish(t *testing.T, path string, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fsck(t, path)
}
