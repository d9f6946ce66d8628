package vm

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// container makes an OCI layout of files, by their names, and pulls it. Content
// that begins with "->" is a link.
func (h *host) container(name string, config v1.Config, files map[string]string) {
	h.t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for path, content := range files {
		header := &tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))}
		if target, isLink := strings.CutPrefix(content, "->"); isLink {
			header.Typeflag, header.Linkname, header.Size, content = tar.TypeSymlink, target, 0, ""
		}
		h.must(w.WriteHeader(header))
		_, err := io.WriteString(w, content)
		h.must(err)
	}
	h.must(w.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
	h.must(err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	h.must(err)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: config, RootFS: must(h, image).RootFS})
	h.must(err)
	dir := filepath.Join(h.t.TempDir(), "layout")
	path, err := layout.Write(dir, empty.Index)
	h.must(err)
	h.must(path.AppendImage(image))
	h.ok("image", "pull", "oci:"+dir, "--name", name, "--kernel-ref", "debian")
}

func must(h *host, image v1.Image) *v1.ConfigFile {
	h.t.Helper()
	config, err := image.ConfigFile()
	h.must(err)
	return config
}

// TestBareContainer boots an image of one static program and nothing else.
func TestBareContainer(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.container("bare", v1.Config{
		Entrypoint: []string{"/app", "one"}, Cmd: []string{"two"}, Env: []string{"A=from the image", "B=b"}, WorkingDir: "/work", User: "7:8",
	}, map[string]string{"app": h.program()}) // without /work
	r := h.banger("vm", "run", "--rm", "--image", "bare", "-e", "B=from the flag")
	want := "args one two\nA=from the image\nB=from the flag\ndir /work\nid 7:8\n"
	if r.code != 9 || r.stdout != want {
		t.Errorf("got %d, %q, want 9 and %q (%s)", r.code, r.stdout, want, r.stderr)
	}
	r = h.banger("vm", "run", "--rm", "--image", "bare", "-u", "root", "-w", "/", "--", "/app")
	if want := "args\nA=from the image\nB=b\ndir /\nid 0:0\n"; r.code != 9 || r.stdout != want {
		t.Errorf("got %d, %q, want 9 and %q (%s)", r.code, r.stdout, want, r.stderr)
	}
	h.wantNothingLeft()
}

// program is a static program that tells of its surroundings and ends with 9.
func (h *host) program() string { return h.programOf("app") }

// programOf is a static program whose source is in testdata.
func (h *host) programOf(name string) string {
	h.t.Helper()
	if content, err := os.ReadFile(name); err == nil { // built already, where there is no Go
		return string(content)
	}
	path := filepath.Join(h.t.TempDir(), name)
	cmd := exec.Command(filepath.Join(rootOfTree(h.t), "scripts/go.sh"), "build", "-trimpath", "-o", path, "./test/vm/testdata/"+name)
	cmd.Dir, cmd.Env = rootOfTree(h.t), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	content, err := os.ReadFile(path)
	h.must(err)
	return string(content)
}

// TestBusyboxContainer boots an image whose only program is busybox.
func TestBusyboxContainer(t *testing.T) {
	t.Parallel()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs busybox-static: ", err)
	}
	h := newHost(t)
	h.container("box", v1.Config{Cmd: []string{"sh", "-c", "echo hello from $0, number $$, in $PWD of $HOSTNAME; exit 3"}, StopSignal: "SIGUSR1"},
		map[string]string{"bin/busybox": string(busybox), "bin/sh": "->busybox"})
	if r := h.banger("vm", "run", "--image", "box", "--name", "box"); r.code != 3 || r.stdout != "hello from sh, number 1, in / of box\n" {
		t.Errorf("got %d, %q (%s)", r.code, r.stdout, r.stderr)
	}
	if out := h.ok("vm", "exec", "box", "busybox", "cat", "/proc/1/comm"); !strings.Contains(out, "init") {
		t.Errorf("the first process is %q", out)
	}
	if r := h.banger("vm", "exec", "box", "bash"); r.code != 127 {
		t.Errorf("what is not there ends with %d", r.code)
	}
	waiting := h.command(t.Context(), "vm", "exec", "box", "--", "sh", "-c",
		"trap 'echo heard >/heard; exit' USR1; trap : TERM HUP; echo waits; while :; do busybox sleep 1; done")
	stdout, err := waiting.StdoutPipe()
	h.must(err)
	h.must(waiting.Start())
	awaitBytes(t, stdout, "waits\n")
	h.stop("box")
	waiting.Wait()
	h.ok("vm", "start", "box")
	if got := h.ok("vm", "exec", "box", "busybox", "cat", "/heard"); got != "heard\n" {
		t.Errorf("the image's stop signal: %q", got)
	}
	if r := h.banger("vm", "stop", "-t", "90", "box"); r.code != 0 || r.stderr != "" {
		t.Errorf("a stop in order says %q", r.stderr)
	}
	// What keeps the root from being unmounted is told.
	h.ok("vm", "start", "box")
	h.ok("vm", "exec", "box", "--", "sh", "-c", "cd /; busybox dd if=/dev/zero of=/swap bs=1M count=4 2>/dev/null; busybox mkswap /swap; busybox swapon /swap")
	if r := h.banger("vm", "stop", "-t", "90", "box"); r.code != 0 || !strings.Contains(r.stderr, "did not shut down in order") {
		t.Errorf("a root that stays mounted: %d, %q", r.code, r.stderr)
	}
	h.ok("vm", "rm", "box")
	h.wantNothingLeft()
}

// TestMuslContainer runs a program by musl's loader.
func TestMuslContainer(t *testing.T) {
	t.Parallel()
	compiler, err := exec.LookPath("musl-gcc")
	if err != nil {
		t.Skip("needs musl-tools: ", err)
	}
	h, dir := newHost(t), t.TempDir()
	source := filepath.Join(dir, "hello.c")
	h.must(os.WriteFile(source, []byte("#include <stdio.h>\nint main(void) { puts(\"hello from musl\"); return 4; }\n"), 0o600))
	if out, err := exec.Command(compiler, "-o", filepath.Join(dir, "hello"), source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	hello, err := os.ReadFile(filepath.Join(dir, "hello"))
	h.must(err)
	libc, err := os.ReadFile("/lib/ld-musl-x86_64.so.1")
	h.must(err)
	h.container("musl", v1.Config{Cmd: []string{"/bin/hello"}},
		map[string]string{"bin/hello": string(hello), "lib/ld-musl-x86_64.so.1": string(libc)})
	if r := h.banger("vm", "run", "--rm", "--image", "musl"); r.code != 4 || r.stdout != "hello from musl\n" {
		t.Errorf("got %d, %q (%s)", r.code, r.stdout, r.stderr)
	}
}
