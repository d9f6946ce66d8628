package kernel

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"banger/internal/ref"
	"banger/internal/statedir"
)

const release = "6.1.0-test"

// vmlinux returns the least that passes for a kernel.
func vmlinux(t testing.TB) []byte {
	t.Helper()
	content := "Linux version " + release + " (gcc) #1"
	header := elf.Header64{
		Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1},
		Type:    uint16(elf.ET_EXEC),
		Machine: uint16(elf.EM_X86_64),
		Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 120, Filesz: uint64(len(content))}
	var b bytes.Buffer
	for _, part := range []any{header, load} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString(content)
	return b.Bytes()
}

// bzimage wraps a payload as the kernel's build does.
func bzimage(payload []byte) []byte {
	const setupSectors = 3
	image := make([]byte, (setupSectors+1)*sectorSize)
	image[offSetupSects] = setupSectors
	copy(image[offMagic:], bzImageMagic)
	binary.LittleEndian.PutUint16(image[offKernelVersion:], 0x300)
	copy(image[0x300+sectorSize:], release+" (builder) #1 SMP\x00")
	const offset = 16
	binary.LittleEndian.PutUint32(image[offPayloadOffset:], offset)
	binary.LittleEndian.PutUint32(image[offPayloadLength:], uint32(len(payload)))
	image = append(image, make([]byte, offset)...)
	return append(append(image, payload...), "what follows"...)
}

// compressions are those that a kernel's build offers. The build puts the
// kernel's length behind what it compressed.
func compressions(t testing.TB, content []byte) map[string][]byte {
	t.Helper()
	var gz, x, zs, lz bytes.Buffer
	write := func(w io.WriteCloser, err error) {
		if err == nil {
			_, err = w.Write(content)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(gzip.NewWriter(&gz), nil)
	xw, err := xz.WriterConfig{CheckSum: xz.CRC32}.NewWriter(&x)
	write(xw, err)
	zw, err := zstd.NewWriter(&zs)
	write(zw, err)
	lw := lz4.NewWriter(&lz)
	write(lw, lw.Apply(lz4.LegacyOption(true)))
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(content)))
	all := map[string][]byte{}
	for name, b := range map[string]*bytes.Buffer{"gzip": &gz, "xz": &x, "zstd": &zs, "lz4": &lz} {
		all[name] = append(b.Bytes(), length...)
	}
	all["none"] = content
	return all
}

func testStore(t *testing.T) *Store {
	t.Helper()
	return NewStore(statedir.Tree{Kind: "kernel", Dir: filepath.Join(t.TempDir(), "kernels")}, "v0")
}

func writeFile(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImportFile(t *testing.T) {
	want := vmlinux(t)
	for name, payload := range compressions(t, want) {
		t.Run(name, func(t *testing.T) {
			s := testStore(t)
			k, err := s.Import(context.Background(), ImportOptions{Name: "k", From: writeFile(t, t.TempDir()+"/vmlinuz", bzimage(payload))})
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(k.Vmlinux())
			if err != nil || !bytes.HasPrefix(got, want) || len(got) > len(want)+4 {
				t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
			}
			if k.KernelVersion != release || k.Arch != Arch || k.BangerVersion != "v0" || k.ModulesDir() != "" || k.Initrd() != "" {
				t.Errorf("got %+v", k.Manifest)
			}
			if err := s.Verify(context.Background(), "k"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestImportDirectory(t *testing.T) {
	from := t.TempDir()
	writeFile(t, from+"/vmlinux", vmlinux(t))
	writeFile(t, from+"/initrd.img", []byte("initrd"))
	writeFile(t, from+"/modules/modules.builtin", []byte("kernel/fs/ext4/ext4.ko\n"))
	if err := os.Symlink("/usr/src", from+"/modules/build"); err != nil {
		t.Fatal(err)
	}
	s := testStore(t)
	k, err := s.Import(context.Background(), ImportOptions{Name: "k", From: from, Distro: "debian", Version: "6.1-mine"})
	if err != nil {
		t.Fatal(err)
	}
	if k.KernelVersion != "6.1-mine" || k.Distro != "debian" || k.Initrd() == "" || k.ModulesDir() == "" || k.ModulesImage() == "" {
		t.Errorf("got %+v", k)
	}
	if _, err := os.Lstat(k.ModulesDir() + "/build"); err == nil {
		t.Error("a link that leads nowhere in a guest was taken along")
	}
	if _, err := os.Stat(k.ModulesDir() + "/modules.dep.bin"); err != nil {
		t.Errorf("the modules are not indexed: %v", err)
	}
	writeFile(t, k.Initrd(), []byte("tampered with"))
	if err := s.Verify(context.Background(), "k"); err == nil || !strings.Contains(err.Error(), "initrd.img") {
		t.Errorf("damage is not seen: %v", err)
	}
}

func TestImportRefuses(t *testing.T) {
	good := vmlinux(t)
	otherMachine, otherClass, notLinux := bytes.Clone(good), bytes.Clone(good), bytes.ReplaceAll(good, []byte("Linux version"), []byte("Other version"))
	otherMachine[18] = byte(elf.EM_AARCH64)
	otherClass[4] = byte(elf.ELFCLASS32)
	packed := compressions(t, good)
	lied := bzimage(packed["gzip"])
	binary.LittleEndian.PutUint32(lied[offPayloadLength:], 1<<31)
	tests := map[string][]byte{
		"empty":              {},
		"text":               []byte(strings.Repeat("<html>\n", 1000)),
		"other architecture": otherMachine,
		"32 bits":            otherClass,
		"cut short":          good[:len(good)-5],
		"no Linux":           notLinux,
		"bzImage cut short":  bzimage(packed["gzip"])[:2100],
		"bzImage that lies":  lied,
		"unknown payload":    bzimage([]byte("what is this?")),
		"damaged payload":    bzimage(packed["xz"][:40]),
		"payload no kernel":  bzimage(compressions(t, []byte("text"))["gzip"]),
	}
	s := testStore(t)
	for what, content := range tests {
		_, err := s.Import(context.Background(), ImportOptions{Name: "k", From: writeFile(t, t.TempDir()+"/kernel", content)})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	from := writeFile(t, t.TempDir()+"/vmlinux", good)
	var malformed *ref.NameError
	if _, err := s.Import(context.Background(), ImportOptions{Name: "../k", From: from}); !errors.As(err, &malformed) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Import(context.Background(), ImportOptions{Name: "k", From: from, Arch: "riscv64"}); err == nil {
		t.Error("took another architecture's")
	}
	if _, err := s.Import(context.Background(), ImportOptions{Name: "k", From: "/no/such/file"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Import(ctx, ImportOptions{Name: "k", From: from}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(s.tree.Dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestStore(t *testing.T) {
	s := testStore(t)
	from := writeFile(t, t.TempDir()+"/vmlinux", vmlinux(t))
	for _, name := range []string{"b", "a"} {
		if _, err := s.Import(context.Background(), ImportOptions{Name: name, From: from}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Import(context.Background(), ImportOptions{Name: "a", From: from}); !errors.Is(err, statedir.ErrExist) {
		t.Errorf("took a name twice: %v", err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Name != "a" || all[0].Size() != int64(len(vmlinux(t))) {
		t.Errorf("got %+v, %v", all, err)
	}
	var missing *NotFoundError
	if _, err := s.Get("c"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if err := s.Remove("a"); err != nil {
		t.Error(err)
	}
	if err := s.Remove("a"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func FuzzBzImage(f *testing.F) {
	for _, payload := range compressions(f, vmlinux(f)) {
		f.Add(bzimage(payload))
	}
	f.Add([]byte(bzImageMagic))
	f.Fuzz(func(t *testing.T, image []byte) {
		b, err := parseBzImage(image)
		if err != nil {
			return
		}
		b.unpack(io.Discard)
	})
}
