package vm

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/google/go-cmp/cmp"

	"banger/internal/format/vmdisk"
	"banger/internal/format/vmdisk/vmdisktest"
)

// The root is a disk: overlays can be mounted anywhere on it, it says when it is
// full and nothing more happens then, and what was written before a machine
// died is there and whole.
func TestRootIsADisk(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ok("vm", "run", "--image", "debian", "--disk", "64M", "--name", "box", "--", "true")
	guest := func(script string) string {
		t.Helper()
		return h.ok("vm", "exec", "box", "--", "sh", "-ec", script)
	}
	t.Run("overlays", func(t *testing.T) {
		guest(`for d in /var/lib/docker /var/lib/containers /root/.local/share/containers/storage /home/u/.local/share/docker \
			/var/lib/kubelet /var/lib/rancher/k3s/agent /srv /opt/x /usr/local/y /var/tmp/z; do
			mkdir -p $d/l $d/u $d/w $d/m; mount -t overlay none -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w $d/m; umount $d/m
		done`)
	})
	t.Run("blocks of the image", func(t *testing.T) {
		guest(`find /usr/share -type f -exec sh -c 'for f; do echo >>"$f"; done' _ {} +; sync`)
	})
	t.Run("full", func(t *testing.T) {
		got := guest(`! dd if=/dev/zero of=/full bs=1M 2>/dev/shm/said || exit 1; cat /dev/shm/said; rm /full; echo fine >/root/after; sync; dmesg`)
		if !strings.Contains(got, "No space left") || strings.Contains(got, "I/O error") || strings.Contains(got, "EXT4-fs error") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("killed", func(t *testing.T) {
		guest("cp -a /etc /root/etc; sync; rm -rf /usr/share/doc; (while :; do cp -a /usr/share/zoneinfo /root/z; rm -rf /root/z; done) >/dev/null 2>&1 & sleep 2")
		h.must(exec.Command("kill", "-9", fmt.Sprint(h.show("box").State.VMMPID)).Run())
		h.awaitPhase("box", "stopped")
		h.wantWhole("debian")
	})
	t.Run("given up by the kernel", func(t *testing.T) {
		disk, err := os.OpenFile(filepath.Join(h.home, ".local/state/banger/vms/box/disk.img"), os.O_RDWR, 0)
		h.must(err)
		_, err = disk.WriteAt(make([]byte, 4), 4) // as it does where the host's disk is full
		h.must(err)
		h.must(disk.Close())
		h.ok("vm", "start", "box")
		if got := guest("cat /root/after; cmp /etc/passwd /root/etc/passwd"); got != "fine\n" {
			t.Errorf("got %q", got)
		}
		h.stop("box")
		h.wantWhole("debian")
	})
}

// awaitPhase returns when a VM is in a phase.
func (h *host) awaitPhase(name, phase string) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); h.show(name).State.Phase != phase; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("vm %s is %s", name, h.show(name).State.Phase)
		}
	}
}

// wantWhole fails where the root of the stopped VM box needs more than its journal
// to be whole, or its image was written to.
func (h *host) wantWhole(image string) {
	h.t.Helper()
	state := filepath.Join(h.home, ".local/state/banger")
	rootfs := filepath.Join(state, "images", image, "rootfs.ext4")
	info, err := os.Stat(rootfs)
	h.must(err)
	plain := int64(vmdisk.PlainSector(uint64(info.Size())/vmdisk.SectorSize)) * vmdisk.SectorSize
	root := vmdisktest.Join(h.t, rootfs, filepath.Join(state, "vms", "box", "disk.img"), plain)
	exec.Command("e2fsck", "-E", "journal_only", "-fy", root).Run()
	for _, file := range []string{root, rootfs} {
		if out, err := exec.Command("e2fsck", "-fn", file).CombinedOutput(); err != nil {
			h.t.Errorf("%s is not whole: %v\n%s", filepath.Base(file), err, out)
		}
	}
}

// File systems from elsewhere become as large as the disk makes them.
func TestForeignImages(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs busybox-static: ", err)
	}
	tree := t.TempDir()
	h.must(os.MkdirAll(filepath.Join(tree, "bin"), 0o755))
	h.must(os.WriteFile(filepath.Join(tree, "bin/busybox"), busybox, 0o755))
	h.must(os.Symlink("busybox", filepath.Join(tree, "bin/sh")))
	for name, options := range map[string][]string{
		"ext4": nil, "ext3": {"-t", "ext3"}, "no-journal": {"-O", "^has_journal"}, "odd-size": {"-b", "1024", "-O", "^resize_inode,meta_bg"},
	} {
		file := filepath.Join(t.TempDir(), name)
		size := "20M"
		if name == "odd-size" {
			size = "20479"
		}
		args := append(append([]string{"-q", "-F", "-d", tree}, options...), file, size)
		if out, err := exec.Command("mkfs.ext4", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		h.ok("image", "register", "--name", name, "--rootfs", file, "--kernel-ref", "debian")
		h.ok("vm", "run", "--image", name, "--disk", "1G", "--name", "box", "--", "sh", "-c", "busybox dd if=/dev/zero of=/f bs=1M count=300 2>/dev/null && busybox sync")
		if warnings := h.show("box").State.Guest.Warnings; len(warnings) > 0 {
			t.Errorf("%s: %q", name, warnings)
		}
		h.stop("box")
		h.wantWhole(name)
		h.ok("vm", "start", "box")
		if got := h.ok("vm", "exec", "box", "busybox", "stat", "-c", "%s", "/f"); got != "314572800\n" {
			t.Errorf("%s: the file has %s bytes", name, got)
		}
		h.ok("vm", "rm", "--force", "box")
	}
}

// awkwardLayer is what a file system of layers would not show as it is, and
// more of what a layer can hold.
func awkwardLayer(t *testing.T, census string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	clock := time.Unix(1_000_000_000, 0)
	add := func(h tar.Header, body string) {
		clock = clock.Add(time.Hour + 123456789)
		h.Size, h.ModTime, h.Format = int64(len(body)), clock, tar.FormatPAX
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(h.Name, err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"dev", "proc", "sys", "run", "etc", "lib", "lib/modules", "d", "d/marked", "d/sticky"} {
		h := tar.Header{Typeflag: tar.TypeDir, Name: dir + "/"}
		switch dir {
		case "d/marked":
			h.PAXRecords = map[string]string{"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.note": "two"}
		case "d/sticky":
			h.Mode, h.Uid, h.Gid = 0o3777, 70000, 3_000_000_000
		}
		add(h, "")
	}
	add(tar.Header{Name: "census"}, census)
	add(tar.Header{Name: "d/a", Mode: 0o644}, "old")
	add(tar.Header{Name: "d/b", Typeflag: tar.TypeLink, Linkname: "d/a"}, "")
	add(tar.Header{Name: "d/sticky/c", Typeflag: tar.TypeLink, Linkname: "d/a"}, "")
	add(tar.Header{Name: "d/like-a-whiteout", Typeflag: tar.TypeChar, Mode: 0o600}, "")
	add(tar.Header{Name: "d/block", Typeflag: tar.TypeBlock, Mode: 0o660, Devmajor: 259, Devminor: 70000}, "")
	add(tar.Header{Name: "d/fifo", Typeflag: tar.TypeFifo, Mode: 0o600}, "")
	add(tar.Header{Name: "d/dangling", Typeflag: tar.TypeSymlink, Linkname: "no/where", Mode: 0o777}, "")
	add(tar.Header{Name: "d/marked/file", PAXRecords: map[string]string{
		"SCHILY.xattr.security.capability":      "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"SCHILY.xattr.trusted.overlay.redirect": "/d",
	}}, "seen")
	for n := range 500 {
		add(tar.Header{Name: fmt.Sprintf("d/many-%d", n), Mode: 0o600}, strings.Repeat("x", n*20))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// agentMade is what the agent makes or edits, so that a machine is the VM's own;
// and lost+found, which a file system has.
func agentMade(name string) bool {
	switch name {
	case `"."`, `"etc"`, `"etc/hostname"`, `"etc/hosts"`, `"etc/resolv.conf"`, `"lib/modules"`, `"lost+found"`,
		`"dev"`, `"proc"`, `"sys"`:
		return true
	}
	return false
}

// The booted guest sees what umoci unpacks of the same image.
func TestRootLikeUmoci(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, for umoci to set owners")
	}
	if _, err := exec.LookPath("umoci"); err != nil {
		t.Skip("needs umoci: ", err)
	}
	h := newHost(t)
	census := h.programOf("census")
	data := awkwardLayer(t, census)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
		tarball.WithMediaType(types.OCILayer))
	h.must(err)
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	h.must(err)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: v1.Config{Entrypoint: []string{"/census", "/"}}, RootFS: must(h, image).RootFS})
	h.must(err)
	dir := filepath.Join(t.TempDir(), "layout")
	path, err := layout.Write(dir, empty.Index)
	h.must(err)
	h.must(path.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})))
	h.ok("image", "pull", "oci:"+dir+":v1", "--name", "awkward", "--kernel-ref", "debian")

	bundle := filepath.Join(t.TempDir(), "bundle")
	if out, err := exec.Command("umoci", "unpack", "--image", dir+":v1", bundle).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := exec.Command(filepath.Join(bundle, "rootfs/census"), filepath.Join(bundle, "rootfs")).Output()
	h.must(err)
	got := h.ok("vm", "run", "--rm", "--image", "awkward")
	if diff := cmp.Diff(ofImage(string(want)), ofImage(got)); diff != "" {
		t.Errorf("umoci has -, the guest +:\n%s", diff)
	}
	for _, text := range []string{`"d/like-a-whiteout" 20600 0:0`, `trusted.overlay.opaque="y"`, ` 3 names, "d/a"`} {
		if !strings.Contains(got, text) {
			t.Errorf("the guest does not see %s", text)
		}
	}
}

// ofImage returns the lines of a census that are the image's. What marks a
// directory for overlays umoci leaves out.
func ofImage(census string) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(census) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if agentMade(name) {
			continue
		}
		var kept []string
		for _, word := range strings.Fields(what) {
			if !strings.HasPrefix(word, "trusted.overlay.") {
				kept = append(kept, word)
			}
		}
		lines[name] = strings.Join(kept, " ")
	}
	return lines
}
