package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"banger/internal/format/ext4"
	"banger/internal/ref"
)

func TestImportFile(t *testing.T) {
	want := vmlinux()
	images := map[string][]byte{"vmlinux": want}
	for name, payload := range compressions(t, want) {
		images["bzImage of "+name] = bzimage(payload)
	}
	for name, image := range images {
		t.Run(name, func(t *testing.T) {
			s := testStore(t)
			from := put(t, t.TempDir()+"/vmlinuz", image)
			k, err := s.Import(t.Context(), ImportOptions{Name: "k", From: from})
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(k.Vmlinux())
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
			}
			if k.KernelVersion != release || k.Arch != Arch || k.BangerVersion != "v0" || k.Source != from ||
				k.Distro != "local" || k.ModulesDir() != "" || k.Initrd() != "" || len(k.Files) != 1 {
				t.Errorf("got %+v", k.Manifest)
			}
		})
	}
}

// modulesIn writes a modules directory as a distribution's build leaves it.
func modulesIn(t *testing.T, dir string) {
	t.Helper()
	put(t, dir+"/modules.builtin", []byte("kernel/fs/ext4/ext4.ko\n"))
	put(t, dir+"/modules.order", nil)
	put(t, dir+"/kernel/README", bytes.Repeat([]byte("text"), 10_000))
	if err := os.Symlink("/usr/src", dir+"/build"); err != nil {
		t.Fatal(err)
	}
}

func TestImportDirectory(t *testing.T) {
	from, modules := t.TempDir(), t.TempDir()
	put(t, from+"/vmlinux", vmlinux())
	put(t, from+"/initrd.img", []byte("initrd"))
	modulesIn(t, modules)
	if err := os.Symlink(modules, from+"/modules"); err != nil {
		t.Fatal(err)
	}
	s := testStore(t)
	k, err := s.Import(t.Context(), ImportOptions{Name: "k", From: from, Distro: "debian", Version: "6.1"})
	if err != nil {
		t.Fatal(err)
	}
	if k.KernelVersion != release || k.Distro != "debian" || k.Initrd() == "" || k.ModulesDir() == "" || k.ModulesImage() == "" {
		t.Errorf("got %+v", k)
	}
	if _, err := os.Lstat(k.ModulesDir() + "/build"); err == nil {
		t.Error("a link that leads nowhere in a guest was taken along")
	}
	files := map[string]bool{}
	for _, f := range k.Files {
		files[f.Path] = true
	}
	for _, name := range []string{"vmlinux", "initrd.img", "modules.ext4", "modules/kernel/README", "modules/modules.dep.bin"} {
		if !files[name] {
			t.Errorf("%s is not in the manifest", name)
		}
	}
	if err := s.Verify(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	image, err := os.Open(k.ModulesImage())
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	if about, err := ext4.Check(image); err != nil {
		t.Errorf("modules.ext4: %+v, %v", about, err)
	}
}

func TestModulesImageIsDeterministic(t *testing.T) {
	from := t.TempDir()
	put(t, from+"/vmlinux", vmlinux())
	modulesIn(t, from+"/modules")
	var images [][]byte
	for range 2 {
		k, err := testStore(t).Import(t.Context(), ImportOptions{Name: "k", From: from})
		if err != nil {
			t.Fatal(err)
		}
		image, err := os.ReadFile(k.ModulesImage())
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, image)
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("the same modules gave different images")
	}
}

func TestImportRefusesFiles(t *testing.T) {
	good := vmlinux()
	changed := func(at int, to byte) []byte {
		image := bytes.Clone(good)
		image[at] = to
		return image
	}
	packed := compressions(t, good)
	patched := func(at int, value uint32) []byte {
		image := bzimage(packed["gzip"])
		binary.LittleEndian.PutUint32(image[at:], value)
		return image
	}
	bomb := bytes.Clone(packed["zstd"])
	binary.LittleEndian.PutUint32(bomb[len(bomb)-sizeLength:], maxVmlinux+1)
	longer := bytes.Clone(packed["zstd"])
	longer[len(longer)-sizeLength]--
	tests := map[string]struct {
		content []byte
		want    string
	}{
		"empty":              {nil, "neither a vmlinux nor a bzImage"},
		"text":               {[]byte(strings.Repeat("<html>\n", 1000)), "neither a vmlinux nor a bzImage"},
		"other architecture": {changed(18, byte(elf.EM_AARCH64)), "EM_AARCH64"},
		"32 bits":            {changed(4, byte(elf.ELFCLASS32)), "cannot be read"},
		"object":             {changed(16, byte(elf.ET_REL)), "ET_REL"},
		"cut short":          {good[:len(good)-5], "cut short"},
		"header only":        {good[:100], "cannot be read"},
		"no Linux":           {bytes.ReplaceAll(good, []byte("Linux version"), []byte("Other version")), "no version of Linux"},
		"bzImage cut short":  {bzimage(packed["gzip"])[:2100], "cut short"},
		"beyond the end":     {patched(offPayloadLength, 1<<31), "cut short"},
		"no payload":         {patched(offPayloadLength, 0), "cut short"},
		"old bzImage":        {patched(offProtocol, 0x204), "too old"},
		"unknown payload":    {bzimage([]byte("what is this?")), "gzip, xz, zstd and lz4"},
		"payload cut short":  {bzimage(append(bytes.Clone(packed["xz"][:40]), 1, 2, 0, 0)), "unexpected EOF"},
		"payload no kernel":  {bzimage(compressions(t, []byte("text"))["gzip"]), "cannot be read"},
		"bomb":               {bzimage(bomb), "more than"},
		"more than it says":  {bzimage(longer), "damaged"},
	}
	s := testStore(t)
	for what, test := range tests {
		from := put(t, t.TempDir()+"/kernel", test.content)
		_, err := s.Import(t.Context(), ImportOptions{Name: "k", From: from})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), from) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	wantEmpty(t, s)
}

func TestImportRefuses(t *testing.T) {
	s := testStore(t)
	dir := t.TempDir()
	from := put(t, dir+"/vmlinux", vmlinux())
	if _, err := s.Import(t.Context(), ImportOptions{Name: "../k", From: from}); !errors.As(err, new(*ref.NameError)) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Import(t.Context(), ImportOptions{Name: "k", From: from, Arch: "riscv64"}); err == nil {
		t.Error("took another architecture's")
	}
	if _, err := s.Import(t.Context(), ImportOptions{Name: "k", From: from, Version: "6.12"}); err == nil || !strings.Contains(err.Error(), release) {
		t.Errorf("took another version: %v", err)
	}
	if _, err := s.Import(t.Context(), ImportOptions{Name: "k", From: "/no/such/file"}); !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOENT) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Import(t.Context(), ImportOptions{Name: "k", From: t.TempDir()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := syscall.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(t.Context(), ImportOptions{Name: "k", From: dir + "/fifo"}); err == nil {
		t.Error("took a pipe")
	}
	put(t, dir+"/modules/a.ko", []byte("no module"))
	if _, err := s.Import(t.Context(), ImportOptions{Name: "k", From: dir}); err == nil || !strings.Contains(err.Error(), "a.ko") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Import(ctx, ImportOptions{Name: "k", From: from}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantEmpty(t, s)
}

func TestIsVersionOf(t *testing.T) {
	for _, test := range []struct {
		version, release string
		want             bool
	}{
		{"", "6.1.0-13-amd64", true},
		{"6.1.0-13-amd64", "6.1.0-13-amd64", true},
		{"6.1", "6.1.0-13-amd64", true},
		{"6.1.0", "6.1.0-13-amd64", true},
		{"6.1", "6.12.30", false},
		{"6.12.30", "6.12.3", false},
		{"5.1", "6.1", false},
	} {
		if got := isVersionOf(test.version, test.release); got != test.want {
			t.Errorf("%q of %q: got %v", test.version, test.release, got)
		}
	}
}

func TestFindRelease(t *testing.T) {
	const chunk = 1 << 20
	text := "Linux version 6.12.30-x86 (builder) #1"
	for _, before := range []int{0, 10, chunk - 20, chunk, chunk + 40, chunk + 70, 2*chunk + 50} {
		got, err := findRelease(strings.NewReader(strings.Repeat("x", before) + text + strings.Repeat("y", chunk)))
		if err != nil || got != "6.12.30-x86" {
			t.Errorf("after %d bytes: %q, %v", before, got, err)
		}
	}
	for _, text := range []string{
		"", "Linux version", "Linux version ", "Linux version %s (%s)", "Linux version 6.1", "Linux version 6.1\x00 ",
		"Linux version 6/../.. ", "Linux version 6" + strings.Repeat("1", 100) + " ",
	} {
		if got, err := findRelease(strings.NewReader(text)); err != nil || got != "" {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}
