package vm

import (
	"archive/tar"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// smallTar writes a root filesystem with busybox and what makes a build
// interesting: files that the agent edits, a file capability, a hard link.
func (h *host) smallTar() string {
	h.t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		h.t.Skip("needs busybox-static")
	}
	path := filepath.Join(h.t.TempDir(), "small.tar")
	f, err := os.Create(path)
	h.must(err)
	defer f.Close()
	w := tar.NewWriter(f)
	add := func(hdr *tar.Header, content string) {
		hdr.Size = int64(len(content))
		if hdr.Mode == 0 {
			hdr.Mode = 0o755
		}
		h.must(w.WriteHeader(hdr))
		_, err := w.Write([]byte(content))
		h.must(err)
	}
	add(&tar.Header{Name: "bin/busybox"}, string(busybox))
	for _, applet := range []string{"sh", "cat", "chmod", "ls", "ln", "mkdir", "hostname", "stat", "rm", "touch", "mknod", "chown", "find", "env", "printf"} {
		add(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeLink, Linkname: "bin/busybox"}, "")
	}
	add(&tar.Header{Name: "etc/os-release", Mode: 0o644}, "ID=minimal\n")
	add(&tar.Header{Name: "etc/passwd", Mode: 0o644}, "root:x:0:0:root:/root:/bin/sh\n")
	add(&tar.Header{Name: "etc/hostname", Mode: 0o644}, "pristine\n")
	add(&tar.Header{Name: "root/", Typeflag: tar.TypeDir, Mode: 0o700}, "")
	add(&tar.Header{Name: "opt/", Typeflag: tar.TypeDir}, "")
	add(&tar.Header{
		Name: "bin/ping", Format: tar.FormatPAX,
		PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	}, "#!/bin/sh\n")
	h.must(w.Close())
	return path
}

const buildScript = `#!/bin/sh
set -e
echo output of the script
hostname > /opt/builder
echo a >/opt/a; ln /opt/a /opt/b; ln -s /nowhere /opt/dangling; mknod /opt/null c 1 3; chmod 6711 /opt/builder; chown 33:44 /opt/a
mkdir -p /tmp; touch /tmp/gone; rm /bin/touch
[ ! -e /fail ]
`

// An image is built of another one, once, and holds what was done and nothing
// of the VM that did it.
func TestBuildFromImage(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ok("image", "pull", "tar:"+h.smallTar(), "--name", "small", "--kernel-ref", "debian")
	dir := t.TempDir()
	h.must(os.WriteFile(dir+"/setup.sh", []byte(buildScript), 0o644))
	h.must(os.WriteFile(dir+"/fail", nil, 0o644))
	build := func(name string, flags ...string) []string {
		return append([]string{"image", "build", "--from-image", "small", "--name", name, "--script", dir + "/setup.sh"}, flags...)
	}
	r := h.banger(build("new", "--copy", dir+":/srv/copied")...)
	if r.code != 0 || r.stdout != "new\n" || !strings.Contains(r.stderr, "output of the script\n") {
		t.Fatalf("got %d, %q, %s", r.code, r.stdout, r.stderr)
	}
	h.wantNothingLeft()
	t.Run("what was done is there", func(t *testing.T) {
		got := h.ok("vm", "run", "--rm", "--image", "new", "--name", "box", "--", "sh", "-c",
			"cat /opt/builder; stat -c '%n %a %u:%g %h %F' /opt/* /srv/copied/*; ls -a /tmp; [ -e /bin/touch ] || echo removed; hostname; find / -xdev -name 'modules'")
		builder, got, _ := strings.Cut(got, "\n")
		want := "/opt/a 644 33:44 2 regular file\n/opt/b 644 33:44 2 regular file\n/opt/builder 6711 0:0 1 regular file\n" +
			"/opt/dangling 777 0:0 1 symbolic link\n/opt/null 644 0:0 1 character special file\n" +
			"/srv/copied/fail 644 0:0 1 regular empty file\n/srv/copied/setup.sh 644 0:0 1 regular file\n.\n..\nremoved\nbox\n"
		if !strings.HasPrefix(builder, "build-new-") || !strings.HasPrefix(got, want) {
			t.Errorf("got %q, %s, want %s", builder, got, want)
		}
	})
	t.Run("extended attributes are kept", func(t *testing.T) {
		rootfs := filepath.Join(h.home, ".local/state/banger/images/new/rootfs.ext4")
		out, err := exec.Command("debugfs", "-R", "ea_list /bin/ping", rootfs).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "security.capability (20)") {
			t.Errorf("got %v, %s", err, out)
		}
	})
	t.Run("the manifest says what of", func(t *testing.T) {
		var base, image struct {
			Digest, Distro string
			Build          struct {
				Base       string
				BaseDigest string `json:"base_digest"`
			}
		}
		h.must(json.Unmarshal([]byte(h.ok("image", "show", "--json", "small")), &base))
		h.must(json.Unmarshal([]byte(h.ok("image", "show", "--json", "new")), &image))
		if image.Build.Base != "small" || image.Build.BaseDigest != base.Digest || image.Distro != "minimal" {
			t.Errorf("got %+v", image)
		}
	})
	t.Run("a second time", func(t *testing.T) {
		r := h.banger(build("new", "--copy", dir+":/srv/copied")...)
		if r.code != 0 || r.stdout != "new\n" || !strings.Contains(r.stderr, "is there already") {
			t.Errorf("got %d, %q, %s", r.code, r.stdout, r.stderr)
		}
		h.fails("was made of something else", build("new")...)
	})
	t.Run("a failing script", func(t *testing.T) {
		r := h.banger(build("bad", "--quiet", "--copy", dir+"/fail:/fail")...)
		if r.code != 125 || !strings.Contains(r.stderr, "output of the script\n") || !strings.Contains(r.stderr, "ended with status 1") {
			t.Errorf("got %d, %s", r.code, r.stderr)
		}
		h.fails("no image is called", "image", "show", "bad")
		h.wantNothingLeft()
	})
	t.Run("an interrupt", func(t *testing.T) {
		h.must(os.WriteFile(dir+"/setup.sh", []byte("echo waiting\nwhile :; do :; done\n"), 0o644))
		cmd := h.command(t.Context(), build("bad")...)
		stderr, err := cmd.StderrPipe()
		h.must(err)
		h.must(cmd.Start())
		awaitText(t, stderr, "waiting")
		h.must(cmd.Process.Signal(os.Interrupt))
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 130 {
			t.Errorf("exit %d", code)
		}
		h.fails("no image is called", "image", "show", "bad")
		h.wantNothingLeft()
	})
	h.fails(`image "small" is of minimal: packages can be installed on Debian and Ubuntu only`, build("bad", "--package", "git")...)
}
