package kernel

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"banger/internal/bundle"
	"banger/internal/fetch"
	"banger/internal/kernelcat"
	"banger/internal/statedir"
)

// bundled is what a kernel's bundle may hold.
var bundled = bundle.Options{Files: []string{statedir.Vmlinux, statedir.Initrd}, Dir: statedir.Modules}

// download unpacks the bundle while it comes, and checks that it was the one
// that the entry promises. It returns the files that are final.
func download(ctx context.Context, stage *statedir.Stage, o PullOptions) ([]File, error) {
	body, err := fetch.Open(ctx, o.Entry.TarballURL, o.Fetch)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if body.Size >= 0 && body.Size != o.Entry.SizeBytes {
		return nil, fmt.Errorf("%s has %d bytes, and the catalog says %d", o.Entry.TarballURL, body.Size, o.Entry.SizeBytes)
	}
	root, err := os.OpenRoot(stage.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	promised := &promised{r: body, entry: o.Entry, digest: sha256.New(), progress: o.Progress}
	files, err := bundle.Unpack(ctx, promised, root, bundled)
	var refused *bundle.Error
	if err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	if err := promised.check(); err != nil {
		return nil, err // which says more than what other bytes unpack to
	}
	if err != nil {
		return nil, err
	}
	unpacked, err := unpackVmlinux(ctx, stage)
	return finalOf(files, unpacked), err
}

// finalOf returns which files of a bundle stay as they are, with their digests:
// of the modules some are going to be unpacked.
func finalOf(files []bundle.File, unpacked bool) []File {
	var final []File
	for _, f := range files {
		if f.Path == statedir.Initrd || f.Path == statedir.Vmlinux && !unpacked {
			final = append(final, File(f))
		}
	}
	return final
}

// promised reads a bundle's bytes, and tells whether they are those of an
// entry.
type promised struct {
	r        io.Reader
	entry    kernelcat.Entry
	digest   hash.Hash
	n        int64
	progress Progress
}

func (p *promised) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.digest.Write(b[:n])
	if p.n += int64(n); p.n > p.entry.SizeBytes {
		return 0, fmt.Errorf("%s has more bytes than the %d that the catalog says", p.entry.TarballURL, p.entry.SizeBytes)
	}
	if p.progress != nil && n > 0 {
		p.progress("pull", p.n, p.entry.SizeBytes)
	}
	return n, err
}

// check reads what is left, and compares.
func (p *promised) check() error {
	if _, err := io.Copy(io.Discard, p); err != nil {
		return err
	}
	if p.n != p.entry.SizeBytes {
		return fmt.Errorf("%s has %d bytes, and the catalog says %d", p.entry.TarballURL, p.n, p.entry.SizeBytes)
	}
	if got := hex.EncodeToString(p.digest.Sum(nil)); got != p.entry.TarballSHA256 {
		return fmt.Errorf("%s is not what the catalog says: its SHA-256 is %s, not %s", p.entry.TarballURL, got, p.entry.TarballSHA256)
	}
	return nil
}

// unpackVmlinux takes the kernel out of a bzImage, where the bundle holds one
// by the name of vmlinux, and tells whether it did.
func unpackVmlinux(ctx context.Context, stage *statedir.Stage) (unpacked bool, err error) {
	target, packed := stage.Path(statedir.Vmlinux), stage.Path("vmlinuz")
	f, err := os.Open(target)
	if errors.Is(err, fs.ErrNotExist) {
		return false, errors.New("the bundle holds no " + statedir.Vmlinux)
	}
	if err != nil {
		return false, err
	}
	magic := make([]byte, len(elf.ELFMAG))
	_, err = io.ReadFull(f, magic)
	f.Close()
	if err == nil && string(magic) == elf.ELFMAG {
		return false, nil
	}
	if err := os.Rename(target, packed); err != nil {
		return false, err
	}
	defer os.Remove(packed)
	return true, writeVmlinux(ctx, packed, target)
}
