package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"
)

var kernelOptions = Options{Files: []string{"vmlinux", "initrd.img"}, Dir: "modules"}

// entry is a tar entry with its content.
type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, content}
}

func special(typeflag byte, name, target string) entry {
	return entry{tar.Header{Typeflag: typeflag, Name: name, Linkname: target, Mode: 0o755}, ""}
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compress(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack unpacks into a new directory.
func unpack(t testing.TB, data []byte, o Options) (dir string, files []File, err error) {
	t.Helper()
	dir = guarded(t, t.TempDir(), func(root *os.Root) {
		files, err = Unpack(context.Background(), bytes.NewReader(data), root, o)
	})
	return dir, files, err
}

// guarded lets write fill a new directory in the empty parent, and fails where
// it does more.
func guarded(t testing.TB, parent string, write func(*os.Root)) (dir string) {
	t.Helper()
	dir = filepath.Join(parent, "root")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	write(root)
	if siblings, _ := os.ReadDir(parent); len(siblings) != 1 {
		t.Errorf("written outside: %v", siblings)
	}
	return dir
}

// tree maps the names below dir to their content, links' targets or "/".
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		switch d.Type() {
		case fs.ModeDir:
			got[name] = "/"
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			got[name] = "-> " + target
			return err
		default:
			content, err := os.ReadFile(path)
			got[name] = string(content)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestUnpack(t *testing.T) {
	data := compress(t, archive(t,
		special(tar.TypeDir, "./", ""),
		file("./vmlinux", "kernel"),
		file("initrd.img", ""),
		special(tar.TypeDir, "modules/", ""),
		file("modules/a/b/x.ko", "module"),
		special(tar.TypeDir, "modules/a", ""),
		special(tar.TypeSymlink, "modules/weak/x.ko", "../a/b/x.ko"),
		special(tar.TypeSymlink, "modules/dangling", "nowhere"),
		special(tar.TypeLink, "modules/again.ko", "./modules/a/b/x.ko"),
	))
	dir, files, err := unpack(t, data, kernelOptions)
	if err != nil {
		t.Fatal(err)
	}
	want := []File{
		{"vmlinux", digest("kernel"), 6},
		{"initrd.img", digest(""), 0},
		{"modules/a/b/x.ko", digest("module"), 6},
		{"modules/again.ko", digest("module"), 6},
	}
	if !slices.Equal(files, want) {
		t.Errorf("got %v", files)
	}
	wantTree := map[string]string{
		"vmlinux": "kernel", "initrd.img": "", "modules": "/", "modules/a": "/", "modules/a/b": "/",
		"modules/a/b/x.ko": "module", "modules/weak": "/", "modules/weak/x.ko": "-> ../a/b/x.ko",
		"modules/dangling": "-> nowhere", "modules/again.ko": "module",
	}
	if got := tree(t, dir); !maps.Equal(got, wantTree) {
		t.Errorf("got %v", got)
	}
}

func TestUnpackRefusesEntries(t *testing.T) {
	setuid := file("vmlinux", "x")
	setuid.Mode = 0o4755
	setgid := file("modules/x", "x")
	setgid.Mode = 0o2755
	a := file("modules/a", "a")
	tests := map[string]struct {
		entries []entry
		want    string // the error
	}{
		"dots":             {[]entry{file("modules/../../x", "")}, `its name holds ".."`},
		"dots first":       {[]entry{file("../x", "")}, `its name holds ".."`},
		"absolute":         {[]entry{file("/vmlinux", "")}, "its name is absolute"},
		"newline":          {[]entry{file("modules/a\nb", "")}, "its name holds control characters"},
		"escape":           {[]entry{file("modules/\x1b[2J", "")}, "its name holds control characters"},
		"not UTF-8":        {[]entry{file("modules/\xff", "")}, "its name is not UTF-8"},
		"long":             {[]entry{file("modules/"+strings.Repeat("d/", maxPath/2)+"x", "")}, "its name is too long"},
		"link out":         {[]entry{special(tar.TypeSymlink, "modules/x", "../../etc/passwd")}, "it links out of the bundle"},
		"link to root":     {[]entry{special(tar.TypeSymlink, "modules/x", "/etc/passwd")}, "it links to the absolute path /etc/passwd"},
		"link in disguise": {[]entry{special(tar.TypeSymlink, "modules/x", "a/../../..")}, `its target holds ".." behind a name`},
		"link's newline":   {[]entry{special(tar.TypeSymlink, "modules/x", "a\nb")}, "its target holds control characters"},
		"link at the top":  {[]entry{special(tar.TypeSymlink, "vmlinux", "modules/x")}, "vmlinux has to be a plain file"},
		"link as modules":  {[]entry{special(tar.TypeSymlink, "modules", ".")}, "it is no directory"},
		"through a link": {
			[]entry{special(tar.TypeSymlink, "modules/x", "."), file("modules/x/y", "")},
			"it is below the symbolic link modules/x",
		},
		"onto a link": {
			[]entry{special(tar.TypeSymlink, "modules/x", "y"), file("modules/x", "")}, "is there twice",
		},
		"below a file":       {[]entry{a, file("modules/a/b", "")}, "it is below the file modules/a"},
		"hard link to later": {[]entry{special(tar.TypeLink, "modules/b", "modules/a"), a}, "it is a hard link to no earlier file"},
		"hard link outside":  {[]entry{special(tar.TypeLink, "modules/b", "/etc/passwd")}, "it is a hard link to no earlier file"},
		"hard link to a link": {
			[]entry{special(tar.TypeSymlink, "modules/x", "y"), special(tar.TypeLink, "modules/b", "modules/x")},
			"it is a hard link to no earlier file",
		},
		"device":         {[]entry{special(tar.TypeChar, "modules/null", "")}, "it is a device"},
		"block device":   {[]entry{special(tar.TypeBlock, "modules/sda", "")}, "it is a device"},
		"fifo":           {[]entry{special(tar.TypeFifo, "modules/fifo", "")}, "it is a fifo"},
		"unknown type":   {[]entry{special('s', "modules/socket", "")}, "it is neither file, directory nor link"},
		"unexpected":     {[]entry{file("README", "")}, "nothing of that name is expected"},
		"unexpected dir": {[]entry{file("etc/passwd", "")}, "nothing of that name is expected"},
		"global header": {
			[]entry{{tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"path": "x"}}, ""}},
			"nothing of that name is expected",
		},
		"directory as file":   {[]entry{special(tar.TypeDir, "vmlinux", "")}, "vmlinux has to be a plain file"},
		"file as directory":   {[]entry{file("modules", "")}, "it is no directory"},
		"below a file's name": {[]entry{file("vmlinux/x", "")}, "vmlinux has to be a plain file"},
		"twice":               {[]entry{file("vmlinux", "a"), file("./vmlinux", "b")}, "is there twice"},
		"directory over file": {[]entry{a, special(tar.TypeDir, "modules/a", "")}, "is there twice"},
		"setuid":              {[]entry{setuid}, "it is setuid or setgid"},
		"setgid":              {[]entry{setgid}, "it is setuid or setgid"},
		"the root as a link":  {[]entry{special(tar.TypeSymlink, ".", "x")}, "nothing of that name is expected"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			_, _, err := unpack(t, compress(t, archive(t, test.entries...)), kernelOptions)
			var refused *Error
			if !errors.As(err, &refused) || refused.Entry == "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ... %s", err, test.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("the error is not a line: %q", err)
			}
		})
	}
}

// nulName returns an archive with a name that holds a NUL, which package tar
// does not write.
func nulName(t *testing.T) []byte {
	e := file("modules/"+strings.Repeat("n", 120)+"@", "")
	return bytes.ReplaceAll(archive(t, e), []byte("n@\n"), []byte("n\x00\n"))
}

func TestUnpackRefusesStreams(t *testing.T) {
	plain := archive(t, file("vmlinux", "kernel"))
	whole := compress(t, plain)
	random := make([]byte, 64<<10)
	rand.Read(random)
	large := compress(t, archive(t, file("vmlinux", string(random))))
	damaged := bytes.Clone(large)
	damaged[len(damaged)-1] ^= 1 // the checksum
	lone := append(plain[:len(plain)-1024:len(plain)-1024], make([]byte, 512)...)
	tests := map[string]struct {
		data []byte
		o    Options
		want string
	}{
		"empty":             {nil, Options{}, "is cut short"},
		"text":              {[]byte("<!DOCTYPE html><html>"), Options{}, "is not compressed with zstd"},
		"no tar":            {compress(t, random), Options{}, "is no whole tar archive"},
		"cut":               {large[:len(large)/2], Options{}, "is cut short"},
		"cut by a byte":     {large[:len(large)-1], Options{}, "is cut short"},
		"no archive's end":  {compress(t, plain[:len(plain)-1024]), Options{}, "is cut short"},
		"half an end":       {compress(t, lone), Options{}, "is cut short"},
		"cut in a file":     {compress(t, archive(t, file("vmlinux", string(random)))[:9000]), Options{}, "is cut short"},
		"trailing text":     {append(bytes.Clone(whole), "trailing"...), Options{}, "has data behind the archive's end"},
		"trailing frame":    {append(bytes.Clone(whole), whole...), Options{}, "has data behind the archive's end"},
		"trailing in frame": {compress(t, append(bytes.Clone(plain), 1)), Options{}, "has data behind the archive's end"},
		"much padding":      {compress(t, append(bytes.Clone(plain), make([]byte, 2<<20)...)), Options{}, "has data behind the archive's end"},
		"damaged":           {damaged, Options{}, "is damaged"},
		"NUL":               {compress(t, nulName(t)), Options{}, "has an entry that cannot be read"},
		"large":             {large, Options{MaxBytes: 64<<10 - 1}, "unpacks to more bytes than it may"},
		"too many":          {whole, Options{MaxEntries: 1}, ""},
		"too many entries": {
			compress(t, archive(t, file("vmlinux", ""), file("initrd.img", ""))), Options{MaxEntries: 1}, "has too many entries",
		},
		"too many directories": {
			compress(t, archive(t, file("modules/a/b/c/d", ""))), Options{MaxEntries: 3}, "has too many entries",
		},
		"window":         {[]byte("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00"), Options{}, "needs a zstd window of more than 128 MiB"},
		"single segment": {[]byte("\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x10\x01\x00\x00"), Options{}, "needs a zstd window of more than 128 MiB"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			test.o.Files, test.o.Dir = kernelOptions.Files, kernelOptions.Dir
			_, _, err := unpack(t, test.data, test.o)
			var refused *Error
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (!errors.As(err, &refused) || refused.Entry != "" || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want ... %s", err, test.want)
			}
		})
	}
}

// Every way of cutting a bundle short is seen.
func TestUnpackRefusesAnyCut(t *testing.T) {
	data := compress(t, archive(t, file("vmlinux", "kernel"), file("modules/x", strings.Repeat("module", 1000))))
	for n := range data {
		var refused *Error
		if _, _, err := unpack(t, data[:n], kernelOptions); !errors.As(err, &refused) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(data), err)
		}
	}
}

// A bomb stops long before what it claims, by header or by content.
func TestUnpackRefusesBomb(t *testing.T) {
	header := entry{tar.Header{Typeflag: tar.TypeReg, Name: "vmlinux", Mode: 0o644, Size: 5 << 30}, ""}
	var claim bytes.Buffer
	if err := tar.NewWriter(&claim).WriteHeader(&header.Header); err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	go func() { // as much as anybody reads of a header's records
		w := tar.NewWriter(pw)
		var err error
		for i := 0; err == nil; i++ {
			err = w.WriteHeader(&tar.Header{
				Typeflag: tar.TypeDir, Name: fmt.Sprintf("modules/%d", i), Mode: 0o755,
				PAXRecords: map[string]string{"BOMB.x": strings.Repeat("x", 500_000)},
			})
		}
		pw.CloseWithError(err)
	}()
	t.Cleanup(func() { pr.Close() })
	var records bytes.Buffer
	w, _ := zstd.NewWriter(&records)
	if _, err := io.CopyN(w, pr, 8<<20); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for what, data := range map[string][]byte{"claimed": compress(t, claim.Bytes()), "records": records.Bytes()} {
		o := kernelOptions
		if what == "records" {
			o.MaxBytes, o.MaxEntries = 1<<20, 100
		}
		if _, _, err := unpack(t, data, o); !errors.Is(err, errTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestUnpackSparse(t *testing.T) {
	content := make([]byte, 4<<20+100)
	copy(content[1<<20+10:], "in the middle")
	copy(content[len(content)-3:], "end")
	for name, data := range map[string]string{"file": string(content), "hole at the end": string(content[:4<<20])} {
		dir, _, err := unpack(t, compress(t, archive(t, file("vmlinux", data))), kernelOptions)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree(t, dir)["vmlinux"]; got != data {
			t.Errorf("%s: the content changed, %d bytes", name, len(got))
		}
		info, err := os.Stat(dir + "/vmlinux")
		if err != nil {
			t.Fatal(err)
		}
		if blocks := info.Sys().(*syscall.Stat_t).Blocks; blocks*512 > 2*blockSize {
			t.Errorf("%s: takes %d sectors", name, blocks)
		}
	}
}

func TestUnpackEnds(t *testing.T) {
	data := compress(t, archive(t, file("vmlinux", "kernel")))
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Unpack(ctx, bytes.NewReader(data), root, kernelOptions); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	lost := errors.New("connection lost")
	broken := io.MultiReader(bytes.NewReader(data[:20]), readerFunc(func([]byte) (int, error) { return 0, lost }))
	if _, err := Unpack(context.Background(), broken, root, kernelOptions); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// fast is a Compressor.
func fast(_ context.Context, piece []byte) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return encoder.EncodeAll(piece, nil), nil
}

func pack(t *testing.T, dir string) ([]byte, error) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var b bytes.Buffer
	err = Pack(context.Background(), &b, root, kernelOptions, fast)
	return b.Bytes(), err
}

// makeDir writes files and, for those that begin with "-> ", links; the modes
// differ between calls with different modes.
func makeDir(t *testing.T, files map[string]string, mode fs.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700|mode)
		if target, ok := strings.CutPrefix(content, "-> "); ok && err == nil {
			err = os.Symlink(target, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(content), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPackIsDeterministic(t *testing.T) {
	files := map[string]string{
		"vmlinux": strings.Repeat("kernel", 100_000), "modules/b.ko": "b", "modules/a/c.ko": "c", "modules/l": "-> a/c.ko",
		"manifest.json": "not a part",
	}
	first, err := pack(t, makeDir(t, files, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	second, err := pack(t, makeDir(t, files, 0o755))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two packs differ: %v", err)
	}
	dir, _, err := unpack(t, first, kernelOptions)
	if err != nil {
		t.Fatal(err)
	}
	delete(files, "manifest.json")
	maps.Copy(files, map[string]string{"modules": "/", "modules/a": "/"})
	if got := tree(t, dir); !maps.Equal(got, files) {
		t.Errorf("got %v", got)
	}
	again, err := pack(t, dir)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("what was unpacked packs differently: %v", err)
	}
}

// The tar stream is what the bundle holds, whatever compresses it.
func TestPackTar(t *testing.T) {
	root, err := os.OpenRoot(makeDir(t, map[string]string{"vmlinux": "kernel", "modules/a": "a"}, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var packed, archive bytes.Buffer
	if err := Pack(t.Context(), &packed, root, kernelOptions, fast); err != nil {
		t.Fatal(err)
	}
	if err := PackTar(t.Context(), &archive, root, kernelOptions); err != nil {
		t.Fatal(err)
	}
	decoder, err := zstd.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	if got, err := io.ReadAll(decoder); err != nil || !bytes.Equal(got, archive.Bytes()) {
		t.Errorf("%d bytes, not %d: %v", len(got), archive.Len(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := PackTar(ctx, io.Discard, root, kernelOptions); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPackRefuses(t *testing.T) {
	for what, files := range map[string]map[string]string{
		"link out":         {"modules/build": "-> /usr/src"},
		"link at the top":  {"vmlinux": "-> modules/x"},
		"name":             {"modules/a\nb": ""},
		"modules a file":   {"modules": ""},
		"vmlinux a folder": {"vmlinux/x": ""},
	} {
		var refused *Error
		if _, err := pack(t, makeDir(t, files, 0o644)); !errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What unpacks has nothing but files, directories and links that stay inside.
// The data is what zstd makes of a bundle: zstd's goroutines would hide from
// the fuzzer which input reaches something new.
func FuzzUnpack(f *testing.F) {
	seeds := [][]entry{
		{file("vmlinux", "kernel")},
		{file("modules/a/b", "x"), special(tar.TypeSymlink, "modules/a/c", "../a/b"), special(tar.TypeLink, "modules/d", "modules/a/b")},
		{special(tar.TypeSymlink, "modules/x", "../.."), file("modules/x/y", "")},
		{file("../x", "x")},
	}
	for _, seed := range seeds {
		f.Add(archive(f, seed...))
	}
	o := kernelOptions
	o.MaxBytes, o.MaxEntries = 1<<20, 1000
	parent := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		var err error
		w := &writer{}
		defer os.RemoveAll(parent + "/root")
		dir := guarded(t, parent, func(root *os.Root) {
			w = newWriter(root, o)
			s := &stream{r: bytes.NewReader(data), left: 2 << 20}
			err = w.writeAll(tar.NewReader(s), s)
		})
		if err != nil {
			return
		}
		got := tree(t, dir)
		for _, file := range w.files {
			if content, ok := got[file.Path]; !ok || digest(content) != file.SHA256 || int64(len(content)) != file.Size {
				t.Errorf("%+v is not what was unpacked", file)
			}
		}
		for name, content := range got {
			if _, isLink := strings.CutPrefix(content, "-> "); !isLink {
				continue
			}
			end, err := filepath.EvalSymlinks(filepath.Join(dir, name))
			if err == nil && end != dir && !strings.HasPrefix(end, dir+"/") {
				t.Errorf("%s leads out of the bundle, to %s", name, end)
			}
		}
	})
}
