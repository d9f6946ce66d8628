package modules

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

func sample(t testing.TB) string {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(ko(t, "license=GPL", "depends=b-1", "alias=pci:v1*", "alias=devname:net/x", "alias=char-major-10-200"))
	z.Close()
	return tree(t, map[string][]byte{
		"kernel/a.ko.gz":    packed.Bytes(),
		"kernel/b-1.ko":     ko(t, "depends=c", "softdep=pre: digest post: later"),
		"kernel/sub/c.ko":   ko(t, "depends="),
		"kernel/digest1.ko": ko(t, "alias=digest"),
		"kernel/later.ko":   ko(t),
		"modules.order":     []byte("kernel/sub/c.ko\nkernel/a.ko\n"),
		"modules.builtin":   []byte("kernel/fs/ext4/ext4.ko\nkernel/lib/x-y.ko\n"),
		"kernel/README":     []byte("no module"),
	})
}

func names(modules []Module) []string {
	var all []string
	for _, m := range modules {
		all = append(all, m.Name)
	}
	return all
}

func TestNeeded(t *testing.T) {
	dir := sample(t)
	read, err := Read(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := read.WriteIndexes(dir); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for what, set := range map[string]*Set{"read": read, "opened": opened} {
		for wanted, want := range map[string][]string{
			"a":      {"digest1", "c", "b_1", "a"},
			"c":      {"c"},
			"ext4":   nil, // built in
			"absent": nil,
		} {
			got, err := set.Needed(wanted)
			if err != nil || !slices.Equal(names(got), want) {
				t.Errorf("%s, %s: got %q, %v, want %q", what, wanted, names(got), err, want)
			}
		}
	}
	both, err := read.Needed("c", "a", "c")
	if err != nil || len(both) != 4 {
		t.Errorf("got %q, %v", names(both), err)
	}
}

func TestIndexes(t *testing.T) {
	set, err := Read(context.Background(), sample(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := set.indexes()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"modules.dep": "kernel/sub/c.ko:\nkernel/a.ko.gz: kernel/b-1.ko kernel/sub/c.ko\n" +
			"kernel/b-1.ko: kernel/sub/c.ko\nkernel/digest1.ko:\nkernel/later.ko:\n",
		"modules.alias": "# Aliases extracted from modules themselves.\nalias pci:v1* a\nalias devname:net/x a\n" +
			"alias char-major-10-200 a\nalias digest digest1\n",
		"modules.softdep": "# Soft dependencies extracted from modules themselves.\nsoftdep b_1 pre: digest post: later\n",
		"modules.devname": "# Device nodes to trigger on-demand module loading.\na net/x c10:200\n",
	} {
		if got := string(files[name]); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

func TestBadModules(t *testing.T) {
	for what, files := range map[string]map[string][]byte{
		"no ELF":              {"a.ko": []byte("text")},
		"no .modinfo":         {"a.ko": bytes.ReplaceAll(ko(t), []byte(".modinfo"), []byte(".another"))},
		"damaged compression": {"a.ko.xz": []byte("\xfd7zXZ\x00 what?")},
	} {
		if _, err := Read(context.Background(), tree(t, files)); err == nil || !strings.Contains(err.Error(), "a.ko") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, files := range map[string]map[string][]byte{
		"circle": {"a.ko": ko(t, "depends=b"), "b.ko": ko(t, "depends=a")},
		"absent": {"a.ko": ko(t, "depends=b")},
	} {
		set, err := Read(context.Background(), tree(t, files))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Needed("a"); err == nil {
			t.Errorf("%s: no error", what)
		}
		if err := set.WriteIndexes(t.TempDir()); err == nil {
			t.Errorf("%s: indexed", what)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("opened a directory without an index")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, sample(t)); err == nil {
		t.Error("read on after being cancelled")
	}
}

// The real depmod is the judge, of a real kernel's modules. It finds out
// dependencies by symbols and may list them in another order.
func TestAgainstDepmod(t *testing.T) {
	from := os.Getenv("BANGER_TEST_MODULES")
	if from == "" {
		t.Skip("needs BANGER_TEST_MODULES: run make test")
	}
	if _, err := process.LookPath("depmod"); err != nil {
		t.Skip("needs depmod (kmod)")
	}
	const release = "6.1.0-test"
	root := t.TempDir()
	dir := filepath.Join(root, "lib/modules", release)
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	set, err := Read(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := set.indexes()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Run(context.Background(), process.Cmd{Args: []string{"depmod", "-b", root, release}}); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, name := range []string{"modules.alias", "modules.alias.bin", "modules.softdep", "modules.devname", "modules.builtin.bin"} {
		if !bytes.Equal(ours[name], read(name)) {
			t.Errorf("%s differs from depmod's", name)
		}
	}
	if got, want := sortedWords(ours["modules.dep"]), sortedWords(read("modules.dep")); got != want {
		t.Error("modules.dep lists other dependencies than depmod's")
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
		m, err := parse(content)
		if err == nil && slices.Contains(m.Depends, "") {
			t.Errorf("got %+v", m)
		}
	})
}
