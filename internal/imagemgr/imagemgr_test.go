package imagemgr

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"banger/internal/process"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// testStore is a store with nothing in it.
func testStore(t testing.TB) *Store {
	t.Helper()
	dir := t.TempDir()
	s := NewStore(statedir.Dirs{State: filepath.Join(dir, "state"), Cache: filepath.Join(dir, "cache")})
	s.Version = "v1.2.3"
	return s
}

// checkEmpty checks that nothing was left behind, visible or not.
func checkEmpty(t *testing.T, s *Store) {
	t.Helper()
	entries, err := os.ReadDir(s.tree.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

// elfFor is the beginning of a program for a machine.
func elfFor(machine uint16) string {
	head := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 57)...)
	binary.LittleEndian.PutUint16(head[16:], 2)
	binary.LittleEndian.PutUint16(head[18:], machine)
	return string(head)
}

const (
	amd64   = 62
	i386    = 3
	aarch64 = 183
)

// item is an entry of a tar to make; mode 0 is 0755.
type item struct {
	kind         byte
	name, target string
	body         string
	mode         int64
}

func makeTar(t testing.TB, items ...item) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, it := range items {
		hdr := &tar.Header{Typeflag: it.kind, Name: it.name, Linkname: it.target, Mode: it.mode, Size: int64(len(it.body)), ModTime: time.Unix(1e9, 0)}
		if hdr.Mode == 0 {
			hdr.Mode = 0o755
		}
		if err := w.WriteHeader(hdr); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, it.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func file(name, body string) item { return item{kind: tar.TypeReg, name: name, body: body} }

var smallRootfs = []item{
	{kind: tar.TypeDir, name: "./"},
	file("./usr/bin/sh", elfFor(amd64)),
	{kind: tar.TypeSymlink, name: "./bin", target: "usr/bin"},
	{kind: tar.TypeLink, name: "./bin/dash", target: "./usr/bin/sh"},
	file("./usr/lib/os-release", "PRETTY_NAME=\"x\"\nID=debian\n"),
	{kind: tar.TypeSymlink, name: "./etc/os-release", target: "../usr/lib/os-release"},
}

func pull(ctx context.Context, s *Store, source string, name string, stdin io.Reader) (Image, error) {
	src, err := ref.ParseSource(source)
	if err != nil {
		return Image{}, err
	}
	return s.Pull(ctx, PullOptions{Source: src, Name: name, KernelRef: "debian-6.1", Stdin: stdin})
}

func TestPullTar(t *testing.T) {
	s := testStore(t)
	data := makeTar(t, smallRootfs...)
	path := filepath.Join(t.TempDir(), "rootfs.tar")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := pull(t.Context(), s, "tar:"+path, "debian", nil)
	if err != nil {
		t.Fatal(err)
	}
	rootfs, err := os.ReadFile(s.Rootfs("debian"))
	if err != nil {
		t.Fatal(err)
	}
	want := Image{
		Name: "debian", Distro: "debian", Arch: "x86_64", KernelRef: "debian-6.1", Source: "tar:" + path,
		SourceDigest: fmt.Sprintf("sha256:%x", sha256.Sum256(data)),
		Digest:       fmt.Sprintf("sha256:%x", sha256.Sum256(rootfs)), Size: int64(len(rootfs)),
		CreatedAt: got.CreatedAt, BangerVersion: "v1.2.3",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if time.Since(got.CreatedAt) > time.Hour {
		t.Errorf("created at %v", got.CreatedAt)
	}
	if stored, err := s.Get("debian"); err != nil || cmp.Diff(got, stored) != "" {
		t.Errorf("stored as %+v, %v", stored, err)
	}
	fsck(t, s.Rootfs("debian"))
	if out := debugfs(t, s.Rootfs("debian"), "stat /usr/bin/dash"); !strings.Contains(out, "Links: 2") {
		t.Errorf("dash is no hard link: %s", out)
	}
}

func fsck(t *testing.T, path string) {
	t.Helper()
	out, err := process.Output(t.Context(), "e2fsck", "-fn", path)
	if _, missing := errors.AsType[*process.NotFoundError](err); missing {
		t.Skip("needs e2fsck of e2fsprogs")
	}
	if err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
}

func debugfs(t *testing.T, path, command string) string {
	t.Helper()
	out, err := process.Output(t.Context(), "debugfs", "-R", command, path)
	if err != nil {
		t.Errorf("debugfs: %v", err)
	}
	return string(out)
}

// The same tar gives the same bytes.
func TestPullIsDeterministic(t *testing.T) {
	s := testStore(t)
	data := makeTar(t, smallRootfs...)
	for _, name := range []string{"a", "b"} {
		if _, err := pull(t.Context(), s, "-", name, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := s.Get("a")
	b, _ := s.Get("b")
	if a.Digest != b.Digest || a.Source != "tar:-" {
		t.Errorf("got %+v and %+v", a, b)
	}
}

func TestPullCompressed(t *testing.T) {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(makeTar(t, smallRootfs...))
	w.Close()
	i, err := pull(t.Context(), testStore(t), "-", "a", &buf)
	if err != nil || i.Distro != "debian" {
		t.Errorf("got %+v, %v", i, err)
	}
}

// One static binary and nothing else is an image.
func TestPullSingleBinary(t *testing.T) {
	i, err := pull(t.Context(), testStore(t), "-", "hello", bytes.NewReader(makeTar(t, file("hello", elfFor(amd64)))))
	if err != nil || i.Distro != "" {
		t.Errorf("got %+v, %v", i, err)
	}
}

func TestPullRefuses(t *testing.T) {
	good := makeTar(t, smallRootfs...)
	for _, c := range []struct {
		what, source, name string
		data               []byte
		want               string
	}{
		{"nothing", "-", "a", nil, "pull tar:-: empty input"},
		{"text", "-", "a", []byte("hello"), "pull tar:-: truncated, or not a tar"},
		{"a truncated tar", "-", "a", good[:len(good)-3000], `pull tar:-: truncated in or after entry "`},
		{"a way out", "-", "a", makeTar(t, file("../x", "")), `pull tar:-: entry "../x": the name has ".." in it`},
		{"a missing link target", "-", "a", makeTar(t, item{kind: tar.TypeLink, name: "a", target: "b"}), `pull tar:-: write rootfs.ext4: entry "a" links to "b", which is not there`},
		{"a file as a directory", "-", "a", makeTar(t, file("a", ""), file("a/b", "")), `which is no directory`},
		{"another machine's", "-", "a", makeTar(t, file("bin/sh", elfFor(aarch64)), file("bin/i", elfFor(amd64))), "pull tar:-: bin/sh is a program for aarch64: this machine is x86_64"},
		{"another machine's single binary", "-", "a", makeTar(t, file("hello", elfFor(aarch64))), "hello is a program for aarch64"},
		{"an OCI archive", "-", "a", makeTar(t, file("oci-layout", `{"imageLayoutVersion":"1.0.0"}`)), "pull it as oci-archive:"},
		{"a docker archive", "-", "a", makeTar(t, file("manifest.json", `[{"Config":"x"}]`)), "pull it as docker-archive:"},
		{"an OCI archive, indented", "-", "a", makeTar(t, file("oci-layout", "{\n  \"imageLayoutVersion\": \"1.0.0\"\n}")), "pull it as oci-archive:"},
		{"a docker archive in another order", "-", "a", makeTar(t, file("manifest.json", "[ {\n\"RepoTags\": [],\n\"Layers\": []")), "pull it as docker-archive:"},
		{"a Vagrant box", "-", "a", makeTar(t, file("metadata.json", "{}"), file("box.img", "QFI\xfb")), "this is a Vagrant box"},
		{"an image of Incus", "-", "a", makeTar(t, file("metadata.yaml", "architecture: x86_64"), file("rootfs/etc/os-release", "ID=debian")), "this is an image of Incus or LXD"},
		{"no file", "tar:/no/where.tar", "a", nil, "pull tar:/no/where.tar: no such file or directory"},
		{"a directory", "tar:/tmp", "a", nil, "pull tar:/tmp: it is a directory, not a tar"},
		{"a bad name", "-", "A b", good, `image name "A b" must begin`},
		{"no name", "-", "", good, `image name "" is empty`},
		{"a kernel package", "apt:linux-image", "a", good, "pull apt:linux-image: an image cannot be made of this kind of source"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := testStore(t)
			_, err := pull(t.Context(), s, c.source, c.name, bytes.NewReader(c.data))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, c.want)
			}
			checkEmpty(t, s)
		})
	}
}

// What is foreign and not in bin or sbin does no harm beside a program that
// runs here.
func TestPullAcceptsForeignFiles(t *testing.T) {
	data := makeTar(t, file("opt/firmware", elfFor(aarch64)), file("bin/sh", elfFor(i386)), file("bin/other", elfFor(aarch64)))
	if _, err := pull(t.Context(), testStore(t), "-", "a", bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
}

// A name that is taken is found out before the source is touched.
func TestPullNameTaken(t *testing.T) {
	s := testStore(t)
	data := makeTar(t, smallRootfs...)
	first, err := pull(t.Context(), s, "-", "a", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_, err = pull(t.Context(), s, "tar:/no/where", "a", nil)
	if !errors.Is(err, statedir.ErrExist) || err.Error() != `image "a" already exists` {
		t.Errorf("got %v", err)
	}
	second, err := s.Pull(t.Context(), PullOptions{
		Source: ref.Source{Transport: ref.Tar, Rest: "-"}, Name: "a", Replace: true,
		Stdin: bytes.NewReader(makeTar(t, file("x", "other"))),
	})
	if err != nil || second.Digest == first.Digest {
		t.Errorf("replaced by %+v, %v", second, err)
	}
	if now, err := s.Get("a"); err != nil || now.Digest != second.Digest {
		t.Errorf("now %+v, %v", now, err)
	}
	if names, _ := os.ReadDir(s.tree.Dir); len(names) != 1 {
		t.Errorf("%d entries in the tree", len(names))
	}
}

func TestPullInterrupted(t *testing.T) {
	s := testStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	defer out.Close()
	go func() {
		out.Write(makeTar(t, smallRootfs...)[:2048])
		cancel() // with the writer silent, as a terminal is
	}()
	if _, err := pull(ctx, s, "-", "a", in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	checkEmpty(t, s)
}

func TestPullProgress(t *testing.T) {
	data := makeTar(t, smallRootfs...)
	path := filepath.Join(t.TempDir(), "rootfs.tar")
	os.WriteFile(path, data, 0o600)
	var last string
	_, err := testStore(t).Pull(t.Context(), PullOptions{
		Source: ref.Source{Transport: ref.Tar, Rest: path}, Name: "a",
		Progress: func(step string, done, total int64) { last = fmt.Sprint(step, done, total) },
	})
	if want := fmt.Sprint("read", len(data), len(data)); err != nil || last != want {
		t.Errorf("the last was %q, want %q (%v)", last, want, err)
	}
}

// smallDisk mounts a file system of a size at dir.
func smallDisk(t *testing.T, dir, size string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("cannot mount a small file system:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// A full disk is one line, and nothing stays.
func TestPullFullDisk(t *testing.T) {
	s := testStore(t)
	smallDisk(t, s.tree.Dir, "1m")
	_, err := pull(t.Context(), s, "-", "a", bytes.NewReader(makeTar(t, file("big", strings.Repeat("x", 4<<20)))))
	if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "pull tar:-: write rootfs.ext4: no space left on device: 1 MiB are needed") {
		t.Errorf("got %v", err)
	}
	checkEmpty(t, s)
}

func TestGetListRemove(t *testing.T) {
	s := testStore(t)
	if all, err := s.List(); len(all) != 0 || err != nil {
		t.Errorf("an empty store lists %v, %v", all, err)
	}
	for _, name := range []string{"debian", "alpine"} {
		if _, err := pull(t.Context(), s, "-", name, bytes.NewReader(makeTar(t, smallRootfs...))); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(s.tree.Path("broken"), 0o700)
	all, err := s.List()
	if err != nil || len(all) != 3 || all[0].Name != "alpine" || all[1].Name != "broken" || all[2].Name != "debian" {
		t.Errorf("listed %+v, %v", all, err)
	}
	if _, err := s.Get("broken"); err == nil {
		t.Error("an image without a manifest is good")
	}
	_, err = s.Get("debain")
	if e, ok := errors.AsType[*NotFoundError](err); !ok || e.Nearest != "debian" {
		t.Errorf("got %v", err)
	}
	if err := s.Remove("debain"); err == nil {
		t.Error("removed what is not there")
	}
	for _, name := range []string{"broken", "debian", "alpine"} {
		if err := s.Remove(name); err != nil {
			t.Error(err)
		}
	}
	checkEmpty(t, s)
}
