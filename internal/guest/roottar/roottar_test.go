package roottar

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/agentapi"
	"banger/internal/format/tarfile"
	"banger/internal/guest/identity"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var settings = agentapi.Settings{Hostname: "box", MachineID: strings.Repeat("0", 32), DNS: "192.168.127.1"}

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch target, isLink := strings.CutPrefix(content, "-> "); {
		case err != nil:
		case isLink:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pack packs tree, which an agent made of image, and describes the entries.
func pack(t *testing.T, tree, image, live string) map[string]string {
	t.Helper()
	var buf bytes.Buffer
	p := &packer{tree: tree, image: image, live: live, settings: settings, out: tarfile.NewWriter(&buf), links: map[uint64]string{}}
	if err := p.dir("."); err != nil {
		t.Fatal(err)
	}
	if err := p.out.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := tar.NewReader(&buf); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeReg:
			got[h.Name] = string(content)
		case tar.TypeDir:
			got[h.Name] = "/"
		case tar.TypeSymlink:
			got[h.Name] = "-> " + h.Linkname
		case tar.TypeLink:
			got[h.Name] = "= " + h.Linkname
		default:
			got[h.Name] = string(h.Typeflag)
		}
		if capability := h.PAXRecords["SCHILY.xattr.user.test"]; capability != "" {
			got[h.Name] += " user.test=" + capability
		}
	}
}

func TestPack(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"bin": "-> usr/bin", "usr/bin/a": "a", "dangling": "-> /nowhere", "empty/": "",
	})
	if err := os.Link(filepath.Join(root, "usr/bin/a"), filepath.Join(root, "usr/bin/b")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(root, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	want := map[string]string{
		"./": "/", "bin": "-> usr/bin", "usr/": "/", "usr/bin/": "/", "usr/bin/a": "a", "usr/bin/b": "= usr/bin/a",
		"dangling": "-> /nowhere", "empty/": "/", "fifo": string(rune(tar.TypeFifo)),
	}
	if unix.Lsetxattr(filepath.Join(root, "usr/bin/a"), "user.test", []byte("x\x00y"), 0) == nil {
		want["usr/bin/a"] += " user.test=x\x00y"
	}
	if diff := cmp.Diff(want, pack(t, root, t.TempDir(), root)); diff != "" {
		t.Error(diff)
	}
}

// As zeros it would be 4 TiB.
func TestPackSparse(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"lastlog": "word"})
	if err := os.Truncate(filepath.Join(root, "lastlog"), 4<<40); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	p := &packer{tree: root, image: t.TempDir(), live: root, out: tarfile.NewWriter(&buf), links: map[uint64]string{}}
	if err := p.dir("."); err != nil || buf.Len() > 1<<20 {
		t.Fatalf("%d bytes, %v", buf.Len(), err)
	}
}

func TestPackKeepsAttributes(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"f": "content"})
	file := filepath.Join(root, "f")
	then := time.Unix(1_700_000_000, 123_456_789)
	if err := errors.Join(os.Chmod(file, 0o750|os.ModeSetuid|os.ModeSticky), os.Chtimes(file, then, then)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &packer{links: map[uint64]string{}}
	h, err := p.header("f", file, info)
	if err != nil {
		t.Fatal(err)
	}
	if h.Mode != 0o5750 || !h.ModTime.Equal(then) || h.Uid != os.Getuid() || h.Size != 7 || h.Uname != "" {
		t.Errorf("got %+v", h)
	}
}

// Neither what belongs to the machine nor what was temporary gets into an
// image.
func TestPackLeavesOut(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"tmp/x": "", "var/tmp/x": "", "proc/1/x": "", "var/lib/apt/lists/deb_Packages": "", "var/lib/apt/extended_states": "kept",
		"var/log/app/log": "line", "var/log/journal/0123/system.journal": "", "etc/ssh/ssh_host_rsa_key": "",
		"etc/ssh/ssh_host_rsa_key.pub": "", "etc/ssh/sshd_config": "kept", "var/cache/apt/pkgcache.bin": "",
		"var/cache/apt/archives/make_1.deb": "", "var/lib/systemd/random-seed": "", "home/u/ssh_host_x_key": "kept",
		"run/lock/": "",
	})
	want := map[string]string{
		"./": "/", "tmp/": "/", "var/": "/", "var/tmp/": "/", "proc/": "/", "var/lib/": "/", "var/lib/apt/": "/",
		"var/lib/apt/lists/": "/", "var/lib/apt/extended_states": "kept", "var/log/": "/", "var/log/app/": "/",
		"var/log/app/log": "", "var/log/journal/": "/", "etc/": "/", "etc/ssh/": "/", "etc/ssh/sshd_config": "kept",
		"var/cache/": "/", "var/cache/apt/": "/", "var/cache/apt/archives/": "/", "var/lib/systemd/": "/",
		"home/": "/", "home/u/": "/", "home/u/ssh_host_x_key": "kept", "run/": "/", "run/lock/": "/",
	}
	if diff := cmp.Diff(want, pack(t, root, t.TempDir(), root)); diff != "" {
		t.Error(diff)
	}
}

// What the agent did to an image is undone, what others did is not.
func TestPackUndoesIdentity(t *testing.T) {
	files := map[string]string{
		"etc/hostname": "maker\n", "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 maker\n", "etc/machine-id": "uninitialized\n",
		"etc/resolv.conf": "-> ../run/resolv.conf", "etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n", "usr/lib/systemd/systemd": "",
	}
	dirs := map[string]string{"./": "/", "etc/": "/", "usr/": "/", "usr/lib/": "/", "usr/lib/systemd/": "/"}
	for _, tt := range []struct {
		name      string
		had, made map[string]string // in the image; by a script after the agent
		want      map[string]string // beside what the image had
	}{
		{name: "unchanged", had: files},
		{name: "had none", had: map[string]string{"usr/lib/systemd/systemd": "", "etc/": ""}},
		{
			name: "changed by others", had: files,
			made: map[string]string{"etc/hosts": "10.0.0.1 other\n", "etc/fstab": "tmpfs /x tmpfs\n", "etc/hostname": "mine\n"},
			want: map[string]string{"etc/hosts": "10.0.0.1 other\n", "etc/fstab": "tmpfs /x tmpfs\n"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image, tree := t.TempDir(), t.TempDir()
			write(t, image, tt.had)
			write(t, tree, tt.had)
			if errs := identity.Apply(tree, settings); len(errs) > 0 {
				t.Fatal(errs)
			}
			write(t, tree, tt.made)
			want := map[string]string{}
			for _, m := range []map[string]string{dirs, tt.had, tt.want} {
				for name, content := range m {
					if content == "" && strings.HasSuffix(name, "/") {
						content = "/"
					}
					want[name] = content
				}
			}
			if diff := cmp.Diff(want, pack(t, tree, image, tree)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A directory that was made to mount something on does not get into an image
// that had none.
func TestPackLeavesOutMountPoints(t *testing.T) {
	tree, image := t.TempDir(), t.TempDir()
	write(t, tree, map[string]string{"proc/": "", "new/": ""})
	write(t, image, map[string]string{"proc/": ""})
	live := "/" // where proc is mounted, and new is not there
	want := map[string]string{"./": "/", "new/": "/", "proc/": "/"}
	if diff := cmp.Diff(want, pack(t, tree, image, live)); diff != "" {
		t.Error(diff)
	}
	delete(want, "proc/")
	if diff := cmp.Diff(want, pack(t, tree, t.TempDir(), live)); diff != "" {
		t.Error(diff)
	}
}
