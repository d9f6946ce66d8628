package imagemgr

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"banger/internal/format/tarfile"
	"banger/internal/process"
)

// awkwardLayers hold everything that layers on top of each other can do. A
// directory that changes is listed: umoci gives others the time of day.
func awkwardLayers(t *testing.T) [][]byte {
	noise := make([]byte, 3<<20+17)
	random := rand.New(rand.NewPCG(1, 2))
	for n := range noise {
		noise[n] = byte(random.Uint32())
	}
	var list [][]byte
	var buf *bytes.Buffer
	var w *tar.Writer
	next := func() {
		if w != nil {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			list = append(list, buf.Bytes())
		}
		buf = &bytes.Buffer{}
		w = tar.NewWriter(buf)
	}
	clock := time.Unix(1_000_000_000, 0)
	add := func(h tar.Header, body string) {
		clock = clock.Add(time.Hour + 123456789)
		h.Size, h.ModTime, h.Format = int64(len(body)), clock, tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(h.Name, err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	dir := func(name string) { add(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, "") }
	file := func(name, body string) { add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, body) }
	symlink := func(name, to string) {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o755}, "") // as macOS has them
	}
	sparse := func(name string, size int64, data ...tarfile.Range) {
		content, err := tarfile.NewFile(size, data, strings.NewReader(strings.Repeat("data", 10_000)))
		if err == nil {
			err = errors.Join(w.Flush(), tarfile.NewWriter(buf).Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o640, Size: size, ModTime: clock}, content))
		}
		if err != nil {
			t.Fatal(name, err)
		}
	}
	link := func(name, to string) { add(tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}, "") }

	next() // the base
	dir("./")
	for _, name := range []string{"usr", "usr/bin", "usr/lib", "etc", "dev", "d", "d/sub", "d/sub/deep", "opaque", "opaque/kept-dir", "turns", "many"} {
		dir(name + "/")
	}
	symlink("bin", "usr/bin")
	symlink("lib", "/usr/lib")
	file("bin/through-link", "1")
	add(tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/su", Mode: 0o4755, Uid: 70000, Gid: 3_000_000_000}, "suid")
	add(tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/ping", Mode: 0o755, PAXRecords: map[string]string{
		"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"SCHILY.xattr.user.note":           "two of them",
	}}, "capable")
	add(tar.Header{Typeflag: tar.TypeDir, Name: "etc/ssl", Mode: 0o2750, Gid: 7, PAXRecords: map[string]string{"SCHILY.xattr.user.dir": "x"}}, "")
	add(tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3}, "")
	add(tar.Header{Typeflag: tar.TypeBlock, Name: "dev/big", Mode: 0o660, Gid: 6, Devmajor: 259, Devminor: 70000}, "")
	add(tar.Header{Typeflag: tar.TypeFifo, Name: "dev/fifo", Mode: 0o600}, "")
	file("empty", "")
	file("noise", string(noise))
	file("zeros", strings.Repeat("\x00", 1<<20))
	file(strings.Repeat("n", 255), "long name")
	for n := range 80 {
		dir("many/" + strings.Repeat("deep/", n+1))
	}
	file("many/"+strings.Repeat("deep/", 80)+"file", "long path")
	symlink("long-link", strings.Repeat("long/", 40)+"target")
	symlink("dangling", "no/where")
	file("Ünïcödé \t name", "odd")
	file("latin caf\xe9", "not UTF-8")
	symlink("latin link", "caf\xe9")
	sparse("sparse", 8<<20, tarfile.Range{Offset: 5000, Length: 9}, tarfile.Range{Offset: 3 << 20, Length: 12_345})
	sparse("hole", 1<<20)
	add(tar.Header{Typeflag: tar.TypeReg, Name: "listed", Mode: 0o674, PAXRecords: map[string]string{
		// u::rw- u:1000:r-- g::r-- m::rwx o::r--
		"SCHILY.xattr.system.posix_acl_access": "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00" +
			"\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x07\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff",
		"SCHILY.xattr.user.long": strings.Repeat("v", 3000),
	}}, "has an ACL")
	file("d/a", "a")
	link("d/a2", "d/a")
	link("d/sub/a3", "d/a")
	link("link-to-link", "dangling")
	file("d/sub/deep/file", "deep")
	file("opaque/old", "old")
	file("opaque/kept-dir/old", "old")
	link("outside", "opaque/old")
	file("turns/file-to-dir", "x")
	dir("turns/dir-to-file")
	file("turns/dir-to-file/child", "x")
	dir("turns/dir-to-link")
	file("turns/dir-to-link/child", "x")
	symlink("turns/link-to-dir", "/d")
	file("whited-out-and-back", "1")
	for n := range 300 {
		file(fmt.Sprintf("many/%03d", n), fmt.Sprint(n))
	}

	next() // on top of it
	file("d/.wh.a", "")
	add(tar.Header{Typeflag: tar.TypeDir, Name: "d/sub", Mode: 0o1777, Uid: 12}, "")
	file("opaque/.wh..wh..opq", "")
	dir("opaque/kept-dir")
	file("opaque/kept-dir/new", "new")
	dir("opaque")
	file("opaque/new", "new")
	dir("turns/file-to-dir")
	file("turns/file-to-dir/child", "y")
	file("turns/dir-to-file", "y")
	symlink("turns/dir-to-link", "file-to-dir")
	dir("turns/link-to-dir")
	file("turns/link-to-dir/child", "y")
	file("lib/through-absolute-link", "2")
	link("usr/lib/hard", "lib/through-absolute-link")
	link("noise-again", "noise")
	file(".wh.whited-out-and-back", "")
	file("turns/.wh.nothing", "")
	for n := range 150 {
		file(fmt.Sprintf("many/.wh.%03d", 2*n), "")
	}

	next() // and again
	file("noise", "other")
	file("whited-out-and-back", "2")
	file("d/sub/deep/new", "kept")
	file("d/sub/.wh.deep", "")
	dir("d/sub/deep")
	file("turns/dir-to-link/through-new-link", "3")
	add(tar.Header{Typeflag: tar.TypeDir, Name: "etc/ssl", Mode: 0o700}, "")
	link("d/sub/a4", "d/a2")
	symlink("usr/bin/su", "ping")

	next() // nothing at all
	next()
	return list
}

// The file system equals what umoci unpacks from the same image.
func TestLikeUmoci(t *testing.T) {
	var layers []v1.Layer
	for _, data := range awkwardLayers(t) {
		layers = append(layers, layerOf(types.OCILayer, data))
	}
	compareWithUmoci(t, writeLayout(t, map[string]v1.Image{"v1": withLayers(layers...)}))
}

// compareWithUmoci pulls the image v1 of an OCI layout, mounts it, and
// compares it with what umoci makes of it.
func compareWithUmoci(t *testing.T, layout string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for umoci to set owners and to mount the result")
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	_, err := process.Output(t.Context(), "umoci", "unpack", "--image", layout+":v1", bundle)
	if _, missing := errors.AsType[*process.NotFoundError](err); missing {
		t.Skip("needs umoci")
	}
	if err != nil {
		t.Fatal(err)
	}
	s := testStore(t)
	if _, err := pull(t.Context(), s, "oci:"+layout+":v1", "a", nil); err != nil {
		t.Fatal(err)
	}
	fsck(t, s.Rootfs("a"))
	mounted := t.TempDir()
	if _, err := process.Output(t.Context(), "mount", "-o", "loop,ro", s.Rootfs("a"), mounted); err != nil {
		t.Skip("needs loop devices: ", err)
	}
	defer unix.Unmount(mounted, 0)
	want := tree(t, filepath.Join(bundle, "rootfs"))
	got := tree(t, mounted)
	delete(got, "lost+found")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("umoci has -, banger has +:\n%s", d)
	}
	if len(want) < 100 {
		t.Errorf("only %d files were compared", len(want))
	}
}

// tree describes every file below root: type, mode, owner, time, size,
// content, target, device, extended attributes and names.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	what, names := map[string]string{}, map[uint64][]string{}
	inodes := map[string]uint64{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		text := fmt.Sprintf("%o %d:%d %d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		switch d.Type() {
		case 0:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d %x", st.Size, sha256.Sum256(data))
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " -> " + target
		case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
			text += fmt.Sprintf(" %d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
		what[name] = text + xattrs(t, path)
		if !d.IsDir() {
			names[st.Ino] = append(names[st.Ino], name)
			inodes[name] = st.Ino
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, inode := range inodes {
		if all := names[inode]; len(all) > 1 {
			slices.Sort(all)
			what[name] += fmt.Sprintf(" names %q", all)
		}
	}
	return what
}

func xattrs(t *testing.T, path string) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		t.Fatal(path, err)
	}
	keys := strings.Split(strings.TrimRight(string(buf[:n]), "\x00"), "\x00")
	slices.Sort(keys)
	var text strings.Builder
	for _, key := range keys {
		if key == "" {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(path, key, value)
		if err != nil {
			t.Fatal(path, key, err)
		}
		fmt.Fprintf(&text, " %s=%q", key, value[:n])
	}
	return text.String()
}
