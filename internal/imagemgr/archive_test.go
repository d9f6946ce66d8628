package imagemgr

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// Image archives are packed anew by people and by other programs.
func TestPullArchiveDialects(t *testing.T) {
	layer := makeTar(t, file("file", "one"))
	config := file("c.json", string(must(imageOf(layer).RawConfigFile())))
	manifest := file("manifest.json", `[{"Config": "c.json", "Layers": ["a/layer.tar"]}]`)
	link := func(kind byte, name, target string) item { return item{kind: kind, name: name, target: target} }
	const end = 2 * tarBlock
	for what, data := range map[string][]byte{
		"absolute names": makeTar(t, file("/c.json", config.body), file("/a/layer.tar", string(layer)), file("/manifest.json", manifest.body)),
		"a hard link":    makeTar(t, config, manifest, file("b.tar", string(layer)), link(tar.TypeLink, "a/layer.tar", "./b.tar")),
		"links to links": makeTar(t, config, manifest, file("b.tar", string(layer)), link(tar.TypeSymlink, "c/l", "../b.tar"), link(tar.TypeSymlink, "a/layer.tar", "/c/l")),
		"a lone zero block": bytes.Join([][]byte{func() []byte {
			d := makeTar(t, config, manifest, file("a/layer.tar", string(layer)))
			return d[:len(d)-end]
		}(),
			make([]byte, tarBlock), bytes.Repeat([]byte("garbage"), 500)}, nil),
	} {
		path := filepath.Join(t.TempDir(), "saved.tar")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := testStore(t)
		if _, err := pull(t.Context(), s, "docker-archive:"+path, "a", nil); err != nil {
			t.Errorf("%s: %v", what, err)
		} else if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != "one" {
			t.Errorf("%s: got %q", what, got)
		}
	}
	loop := filepath.Join(t.TempDir(), "loop.tar")
	if err := os.WriteFile(loop, makeTar(t, config, manifest, link(tar.TypeSymlink, "a/layer.tar", "b"), link(tar.TypeSymlink, "a/b", "layer.tar")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t.Context(), testStore(t), "docker-archive:"+loop, "a", nil); err == nil {
		t.Error("took links in a circle for a layer")
	}
}

// docker save box | banger image pull docker-archive:-
func TestPullArchiveFromPipe(t *testing.T) {
	data := saved(t, savedImage{Config: "one", RepoTags: []string{"app:1"}}, savedImage{Config: "two", RepoTags: []string{"app:2"}})
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{"-:app:2": "two", fifo + ":app:1": "one"} {
		go os.WriteFile(fifo, data, 0) // blocks until it is read, if it is
		s := testStore(t)
		if _, err := pull(t.Context(), s, "docker-archive:"+source, "a", bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", source, err)
		} else if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != want {
			t.Errorf("%s: got %q", source, got)
		}
		if entries, err := os.ReadDir(filepath.Dir(s.tree.Dir)); err != nil || len(entries) > 3 {
			t.Errorf("left %v, %v", entries, err)
		}
	}
}

// A terminal gives nothing, and nothing interrupts its reading.
func TestPullArchiveInterrupted(t *testing.T) {
	nothing, w := io.Pipe()
	defer w.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := pull(ctx, testStore(t), "docker-archive:-", "a", nothing); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A descriptor may hold what it describes, and that need not be anywhere else.
func TestPullInline(t *testing.T) {
	p := pile{}
	in := func(d v1.Descriptor) v1.Descriptor {
		d.Data = p["blobs/sha256/"+d.Digest.Hex]
		delete(p, "blobs/sha256/"+d.Digest.Hex)
		return d
	}
	layer := makeTar(t, file("file", "x"))
	p.index(in(p.image(func(m *v1.Manifest) { m.Config, m.Layers[0] = in(m.Config), in(m.Layers[0]) }, layer)))
	s := testStore(t)
	if _, err := pull(t.Context(), s, "oci-archive:"+p.archive(t), "a", nil); err != nil {
		t.Error(err)
	} else if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != "x" {
		t.Errorf("got %q", got)
	}
	p.index(p.image(func(m *v1.Manifest) {
		m.Layers[0] = in(m.Layers[0])
		m.Layers[0].Data = append([]byte("y"), layer[1:]...)
	}, layer))
	if _, err := pull(t.Context(), testStore(t), "oci-archive:"+p.archive(t), "a", nil); err == nil {
		t.Error("took other data than the digest says")
	}
}

// A copy may have some of an index' images only.
func TestPullOfPartialIndex(t *testing.T) {
	p := pile{}
	gone := p.image(nil, makeTar(t, file("file", "gone")))
	delete(p, "blobs/sha256/"+gone.Digest.Hex)
	p.index(gone, p.image(nil, makeTar(t, file("file", "here"))))
	s := testStore(t)
	if _, err := pull(t.Context(), s, "oci-archive:"+p.archive(t), "a", nil); err != nil {
		t.Error(err)
	} else if got := debugfs(t, s.Rootfs("a"), "cat /file"); got != "here" {
		t.Errorf("got %q", got)
	}
	p.index(gone)
	if _, err := pull(t.Context(), testStore(t), "oci-archive:"+p.archive(t), "a", nil); err == nil {
		t.Error("no error for an image that is not there")
	}
}
