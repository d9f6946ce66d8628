package imagemgr

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/digest"
	"banger/internal/format/bundle"
	"banger/internal/statedir"
)

// claimed are blobs that are whatever they are said to be.
type claimed struct{ manifest, config []byte }

func (c claimed) read(context.Context, v1.Descriptor) ([]byte, error) { return c.manifest, nil }

func (c claimed) open(context.Context, v1.Descriptor) (part, error) {
	return part{io.NewSectionReader(bytes.NewReader(c.config), 0, int64(len(c.config))), io.NopCloser(nil)}, nil
}

// What indexes, manifests and configurations say is taken whole or refused.
func FuzzImage(f *testing.F) {
	p := pile{}
	manifest := p.image(nil, []byte("layer"))
	var m v1.Manifest
	if err := json.Unmarshal(p["blobs/sha256/"+manifest.Digest.Hex], &m); err != nil {
		f.Fatal(err)
	}
	p.index(manifest)
	f.Add(p["blobs/sha256/"+manifest.Digest.Hex], p["blobs/sha256/"+m.Config.Digest.Hex])
	f.Add(p["index.json"], []byte("{}"))
	f.Add([]byte(`{"manifests":[null,{"platform":{}}]}`), []byte(`{"rootfs":{"diff_ids":[""]}}`))
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		d := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hashOf(manifest)}
		i, err := resolveImage(t.Context(), claimed{manifest, config}, d)
		if err != nil {
			return
		}
		for _, l := range i.layers {
			if l.name == "" || l.diffID.Hex == "" {
				t.Errorf("layer %+v", l)
			}
		}
		if i.config == nil || hostileLimits.checkLayers(i.layers) == nil && len(i.layers) > maxLayers {
			t.Errorf("image %+v", i)
		}
	})
}

// Archives are opened or refused, whatever is in them.
func FuzzArchive(f *testing.F) {
	p := pile{}
	p.index(p.image(nil, []byte("layer")))
	p["manifest.json"] = []byte(`[{"Config":"config.json","RepoTags":["a:b"],"Layers":["l"]}]`)
	p["config.json"] = []byte(`{"rootfs":{"diff_ids":["sha256:` + hashOf(nil).Hex + `"]}}`)
	sound, err := os.ReadFile(p.archive(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound, "")
	f.Add(sound[:700], "a:b")
	f.Add(makeTar(f, item{kind: tar.TypeSymlink, name: "index.json", target: "index.json"}), "@0")
	path := filepath.Join(f.TempDir(), "image.tar")
	f.Fuzz(func(t *testing.T, data []byte, tag string) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := openArchive(t.Context(), PullOptions{Limits: hostileLimits}, path, filepath.Dir(path))
		if err != nil {
			return
		}
		defer files.Close()
		for _, find := range []func() (*ociImage, error){
			func() (*ociImage, error) { return openLayout(t.Context(), files, tag) },
			func() (*ociImage, error) { return openDockerArchive(files, tag) },
		} {
			if i, err := find(); err == nil && (i.config == nil || i.digest == "") {
				t.Errorf("image %+v", i)
			}
		}
	})
}

// Programs and os-release files are looked at and passed on as they are.
func FuzzInspect(f *testing.F) {
	f.Add("bin/sh", []byte(elfFor(amd64)), uint16(0o755))
	f.Add("usr/lib/os-release", []byte("ID=\"a\nID='\n"), uint16(0o644))
	f.Add("manifest.json", []byte(`[{"Config":`), uint16(0o644))
	f.Fuzz(func(t *testing.T, name string, content []byte, mode uint16) {
		stream := func(yield func(*tar.Header, io.Reader) error) error {
			return yield(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(content))}, bytes.NewReader(content))
		}
		i := &inspector{}
		err := i.watch(stream)(func(_ *tar.Header, r io.Reader) error {
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%q became %q, %v", content, got, err)
			}
			return nil
		})
		if err == nil && i.foreign != nil && !i.native {
			t.Error("a program for another machine was taken")
		}
		i.distro()
	})
}

// The manifest of a bundle speaks of the file system beside it or is refused.
func FuzzBundleManifest(f *testing.F) {
	f.Add([]byte(`{"digest":"sha256:00","size":1}`))
	f.Add([]byte(`{"config":{"labels":{"a":null}},"created_at":"0000"}`))
	dirs := statedir.Dirs{State: f.TempDir()}
	stage, err := dirs.ImageTree().Stage()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(stage.Discard)
	files := []bundle.File{{Path: statedir.Rootfs, SHA256: "00", Size: 1}}
	if err := os.WriteFile(stage.Path(statedir.Rootfs), []byte("x"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		if err := os.WriteFile(stage.Path(statedir.Manifest), manifest, 0o600); err != nil {
			t.Fatal(err)
		}
		i, err := bundledImage(stage, files)
		if err == nil {
			t.Error("a byte is no file system")
		}
		if _, mismatch := errors.AsType[*digest.Error](err); !mismatch && i.Digest != "" && i.Digest != "sha256:00" {
			t.Errorf("the digest %q was taken: %v", i.Digest, err)
		}
	})
}
