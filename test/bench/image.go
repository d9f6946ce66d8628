package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/catalog"
	"banger/internal/imagecat"
	"banger/internal/kernel"
)

// The rivals of image pull: of an OCI layout, and of a catalog's bundle.
const (
	ociRival = `umoci unpack --image "$SRC:latest" "$DIR/bundle" >/dev/null && mkfs.ext4 -q -d "$DIR/bundle/rootfs" "$DIR/rootfs" 1G`

	bundleRival = `curl -sS "$SRC" | tee >(openssl dgst -sha256 >"$DIR/sum") | zstd -dc | tar -xS -C "$DIR"`
)

// imageBench measures image pull against its rivals on an image of four layers.
type imageBench struct {
	bench
	dir string
}

func (b bench) image(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	i := &imageBench{bench: b, dir: dir}
	if err := i.makeLayout(ctx); err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	if err := i.oci(); err != nil {
		return err
	}
	return i.bundle()
}

// oci compares the pull of a layout with unpacking it and making a file system
// of that.
func (i *imageBench) oci() error {
	source := filepath.Join(i.dir, "layout")
	memory, err := i.peak("oci:" + source + ":latest")
	if err != nil {
		return err
	}
	a, t, err := inTurn(i.pairs, i.ours("oci:"+source+":latest"), i.theirs(ociRival, source))
	if err != nil {
		return err
	}
	fmt.Printf("image pull oci:DIR: %v, peak memory %d MiB\n", a, memory>>10)
	fmt.Printf("umoci and mkfs.ext4: %v\nratio %.2f\n", t, ratio(a, t))
	return nil
}

// bundle compares the pull of a catalog's image with unpacking its bundle.
func (i *imageBench) bundle() error {
	public := filepath.Join(i.dir, "public")
	if err := os.Mkdir(public, 0o755); err != nil {
		return err
	}
	server := httptest.NewServer(http.FileServer(http.Dir(public)))
	defer server.Close()
	size, err := i.publish(public, server.URL+"/bundle")
	if err != nil {
		return err
	}
	catalog := "BANGER_IMAGE_CATALOG=" + filepath.Join(public, "images.json")
	memory, err := i.peak(boxName, catalog)
	if err != nil {
		return err
	}
	a, t, err := inTurn(max(i.pairs, 7), i.ours(boxName, catalog), i.theirs(bundleRival, server.URL+"/bundle"))
	if err != nil {
		return err
	}
	fmt.Printf("image pull of a bundle of %d MiB: %v, peak memory %d MiB\n", size>>20, a, memory>>10)
	fmt.Printf("curl, openssl, zstd and tar -S: %v\nratio %.2f\n", t, ratio(a, t))
	return nil
}

// publish packs the image as bundle in dir, with a catalog, and returns its size.
func (i *imageBench) publish(dir, url string) (int64, error) {
	if _, err := i.run("image", "pull", "oci:"+filepath.Join(i.dir, "layout"), "--name", boxName, "--kernel-ref", i.kernel); err != nil {
		return 0, err
	}
	defer i.run("image", "rm", boxName)
	out, err := i.run("internal", "pack-image", boxName, filepath.Join(dir, "bundle"))
	if err != nil {
		return 0, err
	}
	var packed struct {
		SHA256 string
		Size   int64
	}
	if err := json.Unmarshal(out, &packed); err != nil {
		return 0, err
	}
	data, err := json.Marshal(catalog.Catalog[imagecat.Entry]{Version: 1, Entries: []imagecat.Entry{{
		Name: boxName, Distro: "debian", Arch: kernel.Arch, KernelRef: i.kernel,
		TarballURL: url, TarballSHA256: packed.SHA256, SizeBytes: packed.Size,
	}}})
	if err != nil {
		return 0, err
	}
	return packed.Size, os.WriteFile(filepath.Join(dir, "images.json"), data, 0o600)
}

// boxName is the image's.
const boxName = "bench-image"

func (i *imageBench) run(args ...string) ([]byte, error) {
	out, err := exec.Command(i.banger, append([]string{"-q"}, args...)...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("banger %s: %w: %s", args, err, exit.Stderr)
	}
	return out, err
}

// pulling is the command that is measured.
func (i *imageBench) pulling(source string, env []string) *exec.Cmd {
	cmd := exec.Command(i.banger, "-q", "image", "pull", source, "--name", boxName, "--kernel-ref", i.kernel)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// ours pulls an image and removes it, which does not count.
func (i *imageBench) ours(source string, env ...string) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		took, err := timed(i.pulling(source, env))
		if err == nil {
			_, err = i.run("image", "rm", boxName)
		}
		return took, err
	}
}

func (i *imageBench) peak(source string, env ...string) (kib int64, err error) {
	kib, err = peak(i.pulling(source, env))
	if err == nil {
		_, err = i.run("image", "rm", boxName)
	}
	return kib, err
}

func (i *imageBench) theirs(script, source string) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		to := filepath.Join(i.dir, "theirs")
		defer os.RemoveAll(to)
		if err := os.Mkdir(to, 0o755); err != nil {
			return 0, err
		}
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
		cmd.Env = append(os.Environ(), "SRC="+source, "DIR="+to)
		return timed(cmd)
	}
}

// makeLayout makes an OCI layout of about 600 MB: the tests' Debian, the Go
// distribution with its many files, one large file, and a layer that takes some
// of it away.
func (i *imageBench) makeLayout(ctx context.Context) error {
	file := func(n int) string { return filepath.Join(i.dir, fmt.Sprintf("layer%d.tar", n)) }
	if _, err := i.run("image", "export", "debian", "-o", file(0)); err != nil {
		return err
	}
	goRoot, err := exec.CommandContext(ctx, "scripts/go.sh", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	goTar := exec.CommandContext(ctx, "tar", "-C", strings.TrimSpace(string(goRoot)), "--transform", "s,^[.],usr/local/go,", "-cf", file(1), ".")
	if out, err := goTar.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := writeLayer(file(2), map[string]int64{"srv/large": 80 << 20}); err != nil {
		return err
	}
	changes := map[string]int64{"usr/local/go/.wh.test": 0, "usr/share/.wh.doc": 0}
	for n := range int64(2000) {
		changes[fmt.Sprintf("srv/small/%d", n)] = 5 * n
	}
	if err := writeLayer(file(3), changes); err != nil {
		return err
	}
	var layers []v1.Layer
	for n := range 4 {
		layer, err := tarball.LayerFromFile(file(n), tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return err
		}
		layers = append(layers, layer)
	}
	return i.writeLayout(layers)
}

func (i *imageBench) writeLayout(layers []v1.Layer) error {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return err
	}
	if image, err = mutate.AppendLayers(image, layers...); err != nil {
		return err
	}
	at, err := layout.Write(filepath.Join(i.dir, "layout"), empty.Index)
	if err != nil {
		return err
	}
	platform := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	return at.AppendImage(image, layout.WithPlatform(platform), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "latest"}))
}

// writeLayer writes files of the given sizes as a tar. It holds little in memory,
// as all of this program's counts as that of the programs that it runs.
func writeLayer(path string, files map[string]int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	content := rand.NewChaCha8([32]byte{})
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: files[name], ModTime: time.Unix(1e9, 0)}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.CopyN(w, content, h.Size); err != nil {
			return err
		}
	}
	return w.Close()
}
