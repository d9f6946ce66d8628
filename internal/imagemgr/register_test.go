package imagemgr

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"banger/internal/process"
	"banger/internal/statedir"
)

// makeFileSystem makes an ext4 file system with mkfs.ext4.
func makeFileSystem(t *testing.T, size string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs.img")
	_, err := process.Output(t.Context(), "mkfs.ext4", "-q", path, size)
	if _, missing := errors.AsType[*process.NotFoundError](err); missing {
		t.Skip("needs mkfs.ext4 of e2fsprogs")
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func blocks(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

func TestRegister(t *testing.T) {
	s := testStore(t)
	path := makeFileSystem(t, "64M")
	i, err := s.Register(t.Context(), RegisterOptions{Name: "mine", Rootfs: path, KernelRef: "k"})
	if err != nil {
		t.Fatal(err)
	}
	want := Image{Name: "mine", Arch: "x86_64", KernelRef: "k", Source: path, Size: 64 << 20,
		Digest: i.Digest, CreatedAt: i.CreatedAt, BangerVersion: "v1.2.3"}
	if d := cmp.Diff(want, i); d != "" {
		t.Error(d)
	}
	original, _ := os.ReadFile(path)
	stored, err := os.ReadFile(s.Rootfs("mine"))
	if err != nil || !bytes.Equal(original, stored) {
		t.Errorf("the copy differs, %v", err)
	}
	if got, most := blocks(t, s.Rootfs("mine")), blocks(t, path)+1<<20; got > most {
		t.Errorf("the copy takes %d bytes, want at most %d", got, most)
	}
	if _, err := s.Register(t.Context(), RegisterOptions{Name: "mine", Rootfs: path}); !errors.Is(err, statedir.ErrExist) {
		t.Errorf("registered twice: %v", err)
	}
	if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(s.Rootfs("mine")); !bytes.Equal(again, stored) {
		t.Error("writing to the file changed the image")
	}
}

func TestRegisterRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, err := os.ReadFile(makeFileSystem(t, "8M"))
	if err != nil {
		t.Fatal(err)
	}
	const super, state, incompat = 1024, 58, 96
	dirty, damaged := bytes.Clone(good), bytes.Clone(good)
	dirty[super+incompat] |= 4
	damaged[super+state] |= 2
	inline := bytes.Clone(good)
	inline[super+incompat+1] |= 0x80
	for _, c := range []struct{ what, path, want string }{
		{"nothing", filepath.Join(dir, "no"), "no such file or directory"},
		{"a directory", dir, "it is not a file"},
		{"an empty file", write("empty", nil), "it is no ext4 file system"},
		{"a disk image", write("disk", []byte("QFI\xfb and more")), "it is no ext4 file system, but a qcow2 disk image"},
		{"a compressed one", write("gz", []byte("\x1f\x8b\x08")), "it is no ext4 file system, but gzip data: decompress it first"},
		{"a tar", write("tar", makeTar(t, smallRootfs...)), "it is no ext4 file system"},
		{"half of one", write("half", good[:4<<20]), "it is truncated: the file system has 8388608 bytes, the file 4194304"},
		{"one in use", write("dirty", dirty), "e2fsck -f"},
		{"a damaged one", write("damaged", damaged), "e2fsck -f"},
		{"one that nothing reads", write("inline", inline), "its file system cannot be read: it has the feature inline_data"},
	} {
		s := testStore(t)
		_, err := s.Register(t.Context(), RegisterOptions{Name: "a", Rootfs: c.path})
		if err == nil || !strings.HasPrefix(err.Error(), "register "+c.path+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
		checkEmpty(t, s)
	}
}

func TestRegisterInterrupted(t *testing.T) {
	s := testStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Register(ctx, RegisterOptions{Name: "a", Rootfs: makeFileSystem(t, "8M")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	checkEmpty(t, s)
}

func TestCopySparse(t *testing.T) {
	for what, data := range map[string]map[int64]string{
		"empty":             {},
		"data at the ends":  {0: "head", 8<<20 - 4: "tail"},
		"a hole at the end": {1 << 20: strings.Repeat("x", 1<<20)},
	} {
		dir := t.TempDir()
		src, err := os.Create(filepath.Join(dir, "src"))
		if err != nil {
			t.Fatal(err)
		}
		src.Truncate(8 << 20)
		for at, text := range data {
			src.WriteAt([]byte(text), at)
		}
		dst, err := os.Create(filepath.Join(dir, "dst"))
		if err != nil {
			t.Fatal(err)
		}
		if err := statedir.CopySparse(t.Context(), dst, src); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		want, _ := os.ReadFile(src.Name())
		got, _ := os.ReadFile(dst.Name())
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the copy differs", what)
		}
		if blocks(t, dst.Name()) > blocks(t, src.Name())+1<<20 {
			t.Errorf("%s: the copy is not sparse", what)
		}
	}
}
