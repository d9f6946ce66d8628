package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"banger/internal/catalog"
	"banger/internal/format/bundle"
	"banger/internal/kernel"
	"banger/internal/kernelcat"
	"banger/internal/process"
	"banger/internal/statedir"
)

// rival is what a pull is measured against: the same bytes, hashed and
// unpacked, by the tools that are made for it.
const rival = `curl -sS "$URL" | tee >(openssl dgst -sha256 >"$DIR/sum") | zstd -dc | tar -x -C "$DIR"`

// pull compares kernel pull with the rival, on a kernel's bundle and on a large
// one. Pulling flushes to disk; what that costs the rival is shown apart.
func (b bench) pull(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	dirs, err := statedir.Default()
	if err != nil {
		return err
	}
	k, err := kernel.NewStore(dirs.KernelTree(), "").Get(b.kernel)
	if err != nil {
		return err
	}
	for _, size := range []int64{0, 1 << 30} {
		if err := b.pullOf(ctx, dir, k, size); err != nil {
			return err
		}
	}
	return nil
}

// pullOf is pull for a bundle of the kernel and so many bytes more.
func (b bench) pullOf(ctx context.Context, dir string, k kernel.Kernel, more int64) error {
	public := filepath.Join(dir, fmt.Sprint("public", more))
	packed, err := packBundle(ctx, public, k, more)
	if err != nil {
		return err
	}
	server := httptest.NewServer(http.FileServer(http.Dir(public)))
	defer server.Close()
	offered := catalog.Catalog[kernelcat.Entry]{Version: 1, Entries: []kernelcat.Entry{{
		Name: "bench-1.0", Distro: "bench", Arch: kernel.Arch, KernelVersion: k.KernelVersion,
		TarballURL: server.URL + "/bundle", TarballSHA256: packed.SHA256, SizeBytes: packed.Size,
	}}}
	data, err := json.Marshal(offered)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(public, "catalog.json"), data, 0o600); err != nil {
		return err
	}
	to := filepath.Join(dir, "kernels")
	command := func() *exec.Cmd {
		cmd := exec.Command(b.banger, "-q", "kernel", "pull", "bench-1.0")
		cmd.Env = append(os.Environ(), "BANGER_KERNEL_CATALOG="+filepath.Join(public, "catalog.json"), "BANGER_KERNELS_DIR="+to)
		return cmd
	}
	memory, err := peak(command())
	if err != nil {
		return err
	}
	var flush sample
	ours := func() (time.Duration, error) {
		defer os.RemoveAll(to)
		if err := os.RemoveAll(to); err != nil {
			return 0, err
		}
		return timed(command())
	}
	theirs := func() (time.Duration, error) {
		to := filepath.Join(dir, "theirs")
		defer os.RemoveAll(to)
		if err := os.Mkdir(to, 0o755); err != nil {
			return 0, err
		}
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", rival)
		cmd.Env = append(os.Environ(), "URL="+server.URL+"/bundle", "DIR="+to)
		took, err := timed(cmd)
		if err != nil {
			return 0, err
		}
		flushed, err := timed(exec.Command("sync", "--file-system", to))
		flush = append(flush, flushed)
		return took, err
	}
	a, t, err := inTurn(max(b.pairs, 7), ours, theirs)
	if err != nil {
		return err
	}
	flush = flush[1:] // the round that does not count
	fmt.Printf("kernel pull, %d MiB of bundle with %d MiB in it: %v, peak memory %d MiB\n", packed.Size>>20, packed.unpacked>>20, a, memory>>10)
	fmt.Printf("curl, openssl, zstd and tar:  %v; flushing what they wrote: %v\n", t, flush)
	fmt.Printf("ratio %.2f; with their flushing counted %.2f\n", ratio(a, t), ratio(a, t.plus(flush)))
	return nil
}

func (s sample) plus(other sample) (sum sample) {
	for i := range s {
		sum = append(sum, s[i]+other[i])
	}
	return sum
}

func timed(cmd *exec.Cmd) (time.Duration, error) {
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", cmd.Path, err, out)
	}
	return time.Since(begin), nil
}

type packedBundle struct {
	SHA256   string
	Size     int64
	unpacked int64
}

// packBundle writes a kernel's bundle, with an initrd.img of so many bytes if
// any, to the file bundle in a new directory.
func packBundle(ctx context.Context, dir string, k kernel.Kernel, more int64) (p packedBundle, err error) {
	content := filepath.Join(dir, "content")
	if err := os.MkdirAll(content, 0o755); err != nil {
		return p, err
	}
	vmlinux, err := os.ReadFile(k.Vmlinux())
	if err != nil {
		return p, err
	}
	p.unpacked = int64(len(vmlinux)) + more
	if err := os.WriteFile(filepath.Join(content, statedir.Vmlinux), vmlinux, 0o600); err != nil {
		return p, err
	}
	if more > 0 {
		if err := writeFiller(filepath.Join(content, statedir.Initrd), vmlinux, more); err != nil {
			return p, err
		}
	}
	root, err := os.OpenRoot(content)
	if err != nil {
		return p, err
	}
	defer root.Close()
	out, err := os.Create(filepath.Join(dir, "bundle"))
	if err != nil {
		return p, err
	}
	// As what is published is packed, with less of an effort.
	compress := func(ctx context.Context, piece []byte) ([]byte, error) { return process.Zstd(ctx, 6, piece) }
	err = bundle.Pack(ctx, out, root, bundle.Options{Files: []string{statedir.Vmlinux, statedir.Initrd}}, compress)
	if err := errors.Join(err, out.Close()); err != nil {
		return p, err
	}
	return p, p.measure(out.Name())
}

func (p *packedBundle) measure(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	digest := sha256.New()
	p.Size, err = io.Copy(digest, f)
	p.SHA256 = hex.EncodeToString(digest.Sum(nil))
	return err
}

// writeFiller writes pieces of a real file in no order, which compress as such
// files do, but not as copies of one.
func writeFiller(path string, from []byte, size int64) error {
	random := rand.New(rand.NewPCG(1, 2))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	const piece = 4096
	for n := int64(0); n < size; n += piece {
		at := random.IntN(len(from) - piece)
		if _, err := f.Write(from[at : at+piece]); err != nil {
			return err
		}
	}
	return f.Close()
}

// list measures kernel list with many kernels.
func (b bench) list(context.Context) error {
	const kernels = 200
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for i := range kernels {
		name := fmt.Sprintf("generic-6.%d", i)
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
		m := kernel.Manifest{Name: name, Distro: "generic", Arch: kernel.Arch, KernelVersion: "6.12.1", PulledAt: time.Now()}
		if err := statedir.WriteJSON(filepath.Join(dir, name, statedir.Manifest), m); err != nil {
			return err
		}
	}
	var times sample
	for range max(b.pairs, 7) {
		cmd := exec.Command(b.banger, "kernel", "list")
		cmd.Env = append(os.Environ(), "BANGER_KERNELS_DIR="+dir)
		took, err := timed(cmd)
		if err != nil {
			return err
		}
		times = append(times, took)
	}
	fmt.Printf("kernel list with %d kernels: %v\n", kernels, times)
	return nil
}
