package modules

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"banger/internal/process"
)

// ko makes the least that passes for a module: an ELF file with a .modinfo.
func ko(t testing.TB, fields ...string) []byte {
	t.Helper()
	info := strings.Join(fields, "\x00") + "\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	const headerSize, sectionSize = 64, 64
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1},
		Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1,
		Ehsize: headerSize, Shentsize: sectionSize, Shnum: 3, Shstrndx: 2,
		Shoff: uint64(headerSize + len(info) + len(names)),
	}
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: headerSize, Size: uint64(len(info))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(headerSize + len(info)), Size: uint64(len(names))},
	}
	var b bytes.Buffer
	for _, part := range []any{header, []byte(info), []byte(names), sections} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// tree writes modules, by their paths, and returns their directory.
func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// packed compresses content as a module's build does.
func packed(t testing.TB, content []byte, newWriter func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newWriter(&b)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	return packed(t, content, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

func sample(t testing.TB) string {
	t.Helper()
	a := ko(t, "license=GPL", "depends=b-1", "alias=pci:v1*", "alias=devname:net/x", "alias=char-major-10-200")
	b := ko(t, "depends=c", "softdep=pre: digest-1 post: later")
	digest := ko(t, "alias=digest-1")
	return tree(t, map[string][]byte{
		"kernel/a.ko.gz":    packed(t, a, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		"kernel/b-1.ko.zst": packed(t, b, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
		"kernel/digest1.ko.xz": packed(t, digest, func(w io.Writer) (io.WriteCloser, error) {
			return xz.WriterConfig{CheckSum: xz.CRC32}.NewWriter(w)
		}),
		"kernel/digest2.ko": packed(t, digest, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }), // though not called so
		"kernel/eager1.ko":  ko(t, "softdep=pre: eager2"),
		"kernel/eager2.ko":  ko(t, "softdep=pre: eager1"),
		"kernel/later.ko":   []byte("an old one"),
		"updates/later.ko":  ko(t),
		"kernel/sub/c.ko":   ko(t, "depends="),
		"modules.order":     []byte("kernel/sub/c.ko\nkernel/a.ko\n"),
		"modules.builtin":   []byte("kernel/fs/ext4/ext4.ko\nkernel/lib/x-y.ko\n"),
		"kernel/README":     []byte("no module"),
	})
}

func names(modules []*described) string {
	var all []string
	for _, m := range modules {
		all = append(all, m.Name)
	}
	return strings.Join(all, " ")
}

func TestNeeded(t *testing.T) {
	s, err := read(t.Context(), sample(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		wanted string
		want   string
	}{
		{"a", "digest1 digest2 c b_1 a"},
		{"b_1", "digest1 digest2 c b_1"},
		{"c", "c"},
		{"later", "later"},
		{"ext4", ""}, // built in
		{"absent", ""},
		{"c a c", "c digest1 digest2 b_1 a"},
		{"eager1", "eager2 eager1"},
	} {
		got, err := s.needed(strings.Fields(test.wanted))
		if err != nil || names(got) != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.wanted, names(got), err, test.want)
		}
	}
}

func TestBoot(t *testing.T) {
	driver := ko(t, "depends=virtio")
	dir := tree(t, map[string][]byte{
		"kernel/virtio.ko.gz":     gzipped(t, ko(t)),
		"kernel/virtio-mmio.ko":   driver,
		"kernel/virtio_blk.ko.gz": gzipped(t, driver),
		"kernel/sound.ko.gz":      gzipped(t, ko(t)),
		"modules.builtin":         []byte("kernel/fs/ext4/ext4.ko\n"),
	})
	if _, err := Boot(dir); err == nil {
		t.Error("a directory without a list has one")
	}
	if err := Index(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	got, err := Boot(dir)
	want := []Module{{"virtio", "kernel/virtio.ko"}, {"virtio_mmio", "kernel/virtio-mmio.ko"}, {"virtio_blk", "kernel/virtio_blk.ko"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if data, err := os.ReadFile(dir + "/kernel/virtio_blk.ko"); err != nil || !bytes.Equal(data, driver) {
		t.Errorf("a module to boot with is not unpacked: %v", err)
	}
	files, err := filepath.Glob(dir + "/kernel/*.gz")
	if err != nil || !slices.Equal(files, []string{dir + "/kernel/sound.ko.gz"}) {
		t.Errorf("compressed are %q, %v", files, err)
	}
	if deps, err := os.ReadFile(dir + "/modules.dep"); err != nil || !strings.Contains(string(deps), "kernel/virtio_blk.ko: kernel/virtio.ko\n") {
		t.Errorf("modules.dep is\n%s%v", deps, err)
	}
	if err := os.WriteFile(dir+"/modules.boot", []byte("../../x.ko\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Boot(dir); err == nil {
		t.Error("took a module from outside of the directory")
	}
}

// An index does not follow a link that has its name.
func TestIndexReplacesLinks(t *testing.T) {
	dir, elsewhere := sample(t), filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(elsewhere, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, dir+"/modules.dep"); err != nil {
		t.Fatal(err)
	}
	if err := Index(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(elsewhere); err != nil || string(data) != "mine" {
		t.Errorf("wrote through a link: %q, %v", data, err)
	}
}

func TestIndex(t *testing.T) {
	dir := sample(t)
	if err := Index(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"modules.dep": "kernel/sub/c.ko:\nkernel/a.ko.gz: kernel/b-1.ko.zst kernel/sub/c.ko\nkernel/b-1.ko.zst: kernel/sub/c.ko\n" +
			"kernel/digest1.ko.xz:\nkernel/digest2.ko:\nkernel/eager1.ko:\nkernel/eager2.ko:\nupdates/later.ko:\n",
		"modules.alias": "# Aliases extracted from modules themselves.\nalias pci:v1* a\nalias devname:net/x a\n" +
			"alias char-major-10-200 a\nalias digest-1 digest1\nalias digest-1 digest2\n",
		"modules.softdep": "# Soft dependencies extracted from modules themselves.\nsoftdep b_1 pre: digest-1 post: later\n" +
			"softdep eager1 pre: eager2\nsoftdep eager2 pre: eager1\n",
		"modules.devname": "# Device nodes to trigger on-demand module loading.\na net/x c10:200\n",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

func TestIndexTwiceIsTheSame(t *testing.T) {
	dir := sample(t)
	var first map[string][]byte
	for range 2 {
		if err := Index(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		entries, err := filepath.Glob(dir + "/modules.*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range entries {
			if files[file], err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
		if first != nil && !maps.EqualFunc(files, first, bytes.Equal) {
			t.Error("the second index differs from the first")
		}
		first = files
	}
}

func TestBadModules(t *testing.T) {
	for what, files := range map[string]map[string][]byte{
		"no ELF":              {"a.ko": []byte("text")},
		"empty":               {"a.ko": {}},
		"no .modinfo":         {"a.ko": bytes.ReplaceAll(ko(t), []byte(".modinfo"), []byte(".another"))},
		"cut short":           {"a.ko": ko(t, "license=GPL")[:100]},
		"damaged compression": {"a.ko.xz": []byte("\xfd7zXZ\x00 what?")},
		"circle":              {"a.ko": ko(t, "depends=b"), "b.ko": ko(t, "depends=a")},
	} {
		err := Index(t.Context(), tree(t, files))
		if err == nil || what != "circle" && !strings.Contains(err.Error(), "a.ko") {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Index(ctx, sample(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("went on after being cancelled: %v", err)
	}
}

// Like depmod, Index says nothing of what a module needs and is not there,
// except where no guest would boot.
func TestAbsentDependency(t *testing.T) {
	dir := tree(t, map[string][]byte{"a.ko": ko(t, "depends=b,c", "softdep=pre: d"), "c.ko": ko(t)})
	if err := Index(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if deps, err := os.ReadFile(dir + "/modules.dep"); err != nil || string(deps) != "a.ko: c.ko\nc.ko:\n" {
		t.Errorf("modules.dep is\n%s%v", deps, err)
	}
	dir = tree(t, map[string][]byte{"ext4.ko": ko(t, "depends=crc16")})
	if err := Index(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "ext4 needs crc16") {
		t.Errorf("got %v", err)
	}
}

const release = "6.1.0-test"

// realModules returns a root directory with a copy of a real kernel's modules,
// not indexed, and their directory.
func realModules(t *testing.T, tool string) (root, dir string) {
	t.Helper()
	from := os.Getenv("BANGER_TEST_MODULES")
	if from == "" {
		t.Skip("needs BANGER_TEST_MODULES, a kernel's modules directory: run make test")
	}
	if _, err := process.LookPath(tool); err != nil {
		t.Skipf("needs %s (kmod)", tool)
	}
	root = t.TempDir()
	dir = filepath.Join(root, "lib/modules", release)
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return root, dir
}

func depmod(t *testing.T, root string) {
	t.Helper()
	if err := process.Run(t.Context(), process.Cmd{Args: []string{"depmod", "-b", root, release}}); err != nil {
		t.Fatal(err)
	}
}

// The real depmod is the judge, of a real kernel's modules. It finds out
// dependencies by symbols and may list them in another order.
func TestAgainstDepmod(t *testing.T) {
	root, dir := realModules(t, "depmod")
	all, err := read(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := all.indexes()
	if err != nil {
		t.Fatal(err)
	}
	depmod(t, root)
	theirs := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, name := range []string{
		"modules.alias", "modules.alias.bin", "modules.softdep", "modules.devname",
		"modules.builtin.bin", "modules.builtin.alias.bin",
	} {
		if !bytes.Equal(ours[name], theirs(name)) {
			t.Errorf("%s differs from depmod's", name)
		}
	}
	if got, want := sortedWords(ours["modules.dep"]), sortedWords(theirs("modules.dep")); got != want {
		t.Error("modules.dep lists other dependencies than depmod's")
	}
}

// What modprobe would load by our indexes is what it would by depmod's.
func TestAgainstModprobe(t *testing.T) {
	root, dir := realModules(t, "modprobe")
	if err := Index(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	all, err := read(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	asked := []string{"fs-overlay", "devname:net/tun", "virtio:d00000001v00000000", "ext4", "no_such_module"}
	for i := 0; i < len(all.modules); i += 1 + len(all.modules)/20 {
		asked = append(asked, all.modules[i].Name)
	}
	wouldLoad := func(name string) string {
		// Its exit status does not matter: a module may be unknown to both.
		out, _ := process.Output(t.Context(), "modprobe", "-d", root, "-S", release, "--show-depends", name)
		lines := strings.Split(string(out), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	ours := map[string]string{}
	for _, name := range asked {
		ours[name] = wouldLoad(name)
	}
	if !strings.Contains(ours["fs-overlay"], "overlay") {
		t.Errorf("modprobe would load %q for an alias", ours["fs-overlay"])
	}
	depmod(t, root)
	for _, name := range asked {
		if want := wouldLoad(name); ours[name] != want {
			t.Errorf("%s: modprobe would load\n%s\nand by depmod's index\n%s", name, ours[name], want)
		}
	}
}

// sortedWords sorts the words of each line behind its first.
func sortedWords(text []byte) string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		slices.Sort(words[1:])
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

func TestIndexSplits(t *testing.T) {
	var root index
	words := []string{"abc", "abd", "ab", "x", "abcdef", "ab"}
	for i, word := range words {
		root.insert(word, fmt.Sprint(word, i), i)
	}
	got := map[string][]string{}
	root.walk("", func(key string, values []indexValue) {
		for _, v := range values {
			got[key] = append(got[key], v.text)
		}
	})
	want := map[string][]string{"abc": {"abc0"}, "abd": {"abd1"}, "ab": {"ab2", "ab5"}, "x": {"x3"}, "abcdef": {"abcdef4"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// walk visits all keys.
func (n *index) walk(before string, visit func(string, []indexValue)) {
	key := before + n.prefix
	if len(n.values) > 0 {
		visit(key, n.values)
	}
	for letter, child := range n.children {
		child.walk(key+string(letter), visit)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(ko(f, "depends=a,b", "alias=x", "softdep=pre: y"))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := parse(bytes.NewReader(content))
		if err == nil && slices.Contains(m.depends, "") {
			t.Errorf("got %+v", m)
		}
	})
}

// A bundle's lists are of foreign bytes: one that has no end is not read.
func TestListsAreBounded(t *testing.T) {
	for _, name := range []string{"modules.order", "modules.builtin", "modules.builtin.modinfo"} {
		dir := tree(t, map[string][]byte{name: nil})
		if err := os.Truncate(filepath.Join(dir, name), 4<<30); err != nil {
			t.Fatal(err)
		}
		if _, err := read(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "is larger than") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
