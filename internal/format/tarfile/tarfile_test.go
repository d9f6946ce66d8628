package tarfile

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const size = 10 << 30 // nobody reads that many zeros in a test

// makeSparse makes a file of that size with a few words in it.
func makeSparse(t *testing.T, path string, at ...int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, offset := range at {
		if _, err := fmt.Fprintf(io.NewOffsetWriter(f, offset), "word at %d", offset); err != nil {
			t.Fatal(err)
		}
	}
}

// isSparse checks that a file is as makeSparse makes it.
func isSparse(t *testing.T, f *os.File, at ...int64) {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	if stat.Size != size || stat.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes in %d blocks", stat.Size, stat.Blocks)
	}
	for _, offset := range at {
		want := fmt.Sprintf("word at %d", offset)
		got := make([]byte, len(want))
		if _, err := f.ReadAt(got, offset); err != nil || string(got) != want {
			t.Errorf("at %d: %q, %v", offset, got, err)
		}
	}
}

// unpacked unpacks the files of a tar.
func unpacked(t *testing.T, r io.Reader) map[string]*os.File {
	t.Helper()
	files := map[string]*os.File{}
	for tr := NewReader(r); ; {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if err := tr.File().Save(f); err != nil {
			t.Fatalf("%s: %v", hdr.Name, err)
		}
		files[hdr.Name] = f
	}
}

// many is enough ranges for the old form to need several blocks.
func many() []int64 {
	var at []int64
	for i := range int64(60) {
		at = append(at, i*64<<20)
	}
	return at
}

func TestReadsWhatGNUTarWrites(t *testing.T) {
	dir := t.TempDir()
	few := []int64{12345, size - 100}
	makeSparse(t, filepath.Join(dir, "few"), few...)
	makeSparse(t, filepath.Join(dir, "many"), many()...)
	makeSparse(t, filepath.Join(dir, "none"))
	long := strings.Repeat("l", 200)
	makeSparse(t, filepath.Join(dir, long), few...)
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, form := range [][]string{
		{"--format=gnu"}, {"--format=posix", "--sparse-version=0.0"},
		{"--format=posix", "--sparse-version=0.1"}, {"--format=posix", "--sparse-version=1.0"},
	} {
		t.Run(strings.Join(form, " "), func(t *testing.T) {
			args := slices.Concat([]string{"-cSf", "-", "-C", dir}, form, []string{"few", "many", "plain", "none", long})
			out, err := exec.Command("tar", args...).Output()
			if err != nil {
				t.Fatal(err)
			}
			files := unpacked(t, bytes.NewReader(out))
			if len(files) != 5 {
				t.Fatalf("%d files", len(files))
			}
			isSparse(t, files["few"], few...)
			isSparse(t, files["many"], many()...)
			isSparse(t, files["none"])
			isSparse(t, files[long], few...)
			if got, err := os.ReadFile(files["plain"].Name()); err != nil || string(got) != "content" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// written is a tar of the files in dir.
func written(t *testing.T, dir string, names ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, name := range names {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		content, err := Open(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		h := &tar.Header{Name: "d/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: info.Size(), PAXRecords: map[string]string{"SCHILY.xattr.user.a=%b": "v"}}
		if err := w.Add(h, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWritesWhatOthersRead(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	few := []int64{0, 70_000, size - 100}
	odd := strings.Repeat("n", 120) + "\xff"
	makeSparse(t, filepath.Join(dir, odd), few...)
	makeSparse(t, filepath.Join(dir, "none"))
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := written(t, dir, odd, "plain", "none", "plain")
	if len(data) > 100_000 {
		t.Fatalf("the tar has %d bytes", len(data))
	}
	cmd := exec.Command("tar", "-xf", "-", "-C", to)
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, at := range map[string][]int64{odd: few, "none": nil} {
		f, err := os.Open(filepath.Join(to, "d", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		isSparse(t, f, at...)
		isSparse(t, unpacked(t, bytes.NewReader(data))["d/"+name], at...)
	}
	tr := tar.NewReader(bytes.NewReader(data))
	if h, err := tr.Next(); err != nil || h.Name != "d/"+odd || h.Size != size || h.PAXRecords["SCHILY.xattr.user.a%3D%25b"] != "v" {
		t.Errorf("archive/tar: %+v, %v", h, err)
	}
	ours := NewReader(bytes.NewReader(data))
	if h, err := ours.Next(); err != nil || h.PAXRecords["SCHILY.xattr.user.a=%b"] != "v" || len(h.PAXRecords) > 3 {
		t.Errorf("%+v, %v", h, err)
	}
}

// A file with more holes than others take keeps its content.
func TestWritesFewRanges(t *testing.T) {
	var data []Range
	for i := range int64(maxRanges + 10) {
		data = append(data, Range{i * 100_000, 1})
	}
	const length = (maxRanges + 10) * 100_000
	f, err := NewFile(length, data, io.LimitReader(ones{}, maxRanges+10))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := NewWriter(&out).Add(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Size: length}, f); err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(&out)
	if _, err := tr.Next(); err != nil {
		t.Fatal(err)
	}
	var sum, n int64
	for buf := make([]byte, 1<<20); ; {
		k, err := tr.Read(buf)
		n += int64(k)
		sum += int64(bytes.Count(buf[:k], []byte{1}))
		if err != nil {
			break
		}
	}
	if n != length || sum != maxRanges+10 {
		t.Errorf("%d bytes with %d ones", n, sum)
	}
}

type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

func TestReadsPartly(t *testing.T) {
	f, err := NewFile(20, []Range{{2, 3}, {5, 0}, {5, 1}, {12, 4}}, strings.NewReader("abcdefgh"))
	if err != nil {
		t.Fatal(err)
	}
	if n := SkipHole(f, 4); n != 0 {
		t.Errorf("skipped %d of 2", n)
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(f, head); err != nil || string(head) != "\x00\x00abcd\x00" {
		t.Errorf("%q, %v", head, err)
	}
	if n := SkipHole(f, 4); n != 4 {
		t.Errorf("skipped %d of 5", n)
	}
	rest, err := io.ReadAll(f)
	if err != nil || string(rest) != "\x00efgh\x00\x00\x00\x00" {
		t.Errorf("%q, %v", rest, err)
	}
}

// sparseTar is a tar of one file with the given records and content.
func sparseTar(records map[string]string, content string) []byte {
	hidden := map[string]string{}
	for key, value := range records {
		hidden["gnu.sparse."+key] = value
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	w.WriteHeader(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Size: int64(len(content)), PAXRecords: hidden})
	io.WriteString(w, content)
	w.Close()
	return bytes.ReplaceAll(out.Bytes(), []byte("gnu.sparse."), []byte("GNU.sparse."))
}

func TestRefusesDamagedMaps(t *testing.T) {
	block := func(text string) string { return text + strings.Repeat("\x00", 512-len(text)) }
	v1 := map[string]string{"major": "1", "minor": "0", "realsize": "100"}
	for _, c := range []struct {
		what    string
		records map[string]string
		content string
	}{
		{"overlapping", v1, block("2\n0\n5\n4\n1\n") + "abcdef"},
		{"beyond the end", v1, block("1\n99\n2\n") + "ab"},
		{"overflowing", v1, block("1\n9223372036854775807\n2\n") + "ab"},
		{"negative", v1, block("1\n-1\n2\n") + "ab"},
		{"less data than said", v1, block("1\n0\n3\n") + "ab"},
		{"more data than said", v1, block("1\n0\n1\n") + "ab"},
		{"no numbers", v1, block("x\n") + "ab"},
		{"too many", v1, block("99999999999\n") + "ab"},
		{"no map", v1, "1"},
		{"odd", map[string]string{"map": "0,1,2", "size": "100"}, "a"},
		{"negative size", map[string]string{"map": "0,1", "size": "-1"}, "a"},
		{"unknown", map[string]string{"major": "2", "minor": "0"}, "a"},
	} {
		tr := NewReader(bytes.NewReader(sparseTar(c.records, c.content)))
		if _, err := tr.Next(); err == nil {
			t.Errorf("%s: taken", c.what)
		}
	}
	tr := NewReader(bytes.NewReader(sparseTar(v1, block("1\n98\n2\n")+"ab")))
	if h, err := tr.Next(); err != nil || h.Size != 100 {
		t.Errorf("a sound one: %v, %v", h, err)
	}
}

// Whatever a tar holds, what the filter makes of one without sparse files is
// what archive/tar makes of it.
func FuzzReader(f *testing.F) {
	f.Add(sparseTar(map[string]string{"major": "1", "minor": "0", "realsize": "100"}, "1\n98\n2\n"+strings.Repeat("\x00", 504)+"ab"))
	f.Add(sparseTar(map[string]string{"map": "0,1", "size": "50", "name": "other"}, "a"))
	f.Add(sparseTar(map[string]string{}, "plain"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, theirs := NewReader(bytes.NewReader(data)), tar.NewReader(bytes.NewReader(data))
		for !bytes.Contains(data, []byte("sparse")) {
			want, wrong := theirs.Next()
			if wrong != nil || want.Typeflag == tar.TypeGNUSparse {
				break
			}
			got, err := ours.Next()
			if err != nil || got.Name != want.Name || got.Size != want.Size || got.Typeflag != want.Typeflag {
				t.Fatalf("%+v, %v; archive/tar has %+v", got, err, want)
			}
			a, err := io.ReadAll(io.LimitReader(ours.File(), 1<<20))
			b, wrong := io.ReadAll(io.LimitReader(theirs, 1<<20))
			if !bytes.Equal(a, b) || (err == nil) != (wrong == nil) {
				t.Fatalf("%q, %v; archive/tar has %q, %v", a, err, b, wrong)
			}
		}
		again := NewReader(bytes.NewReader(data))
		h, err := again.Next()
		for ; err == nil; h, err = again.Next() {
			n, err := io.Copy(io.Discard, io.LimitReader(again.File(), 1<<20))
			if err == nil && n < min(h.Size, 1<<20) && !headerOnly(h.Typeflag) {
				t.Fatalf("%d bytes of %d without an error", n, h.Size)
			}
			if again.Drain() != nil {
				return
			}
		}
	})
}
