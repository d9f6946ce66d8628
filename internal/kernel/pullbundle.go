package kernel

import (
	"context"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"

	"banger/internal/catalog"
	"banger/internal/format/bundle"
	"banger/internal/statedir"
)

// bundled is what a kernel's bundle may hold.
var bundled = bundle.Options{Files: []string{statedir.Vmlinux, statedir.Initrd}, Dir: statedir.Modules}

// download unpacks the bundle while it comes, and checks that it was the one
// that the entry promises. It returns the files that are final.
func download(ctx context.Context, stage *statedir.Stage, o PullOptions) ([]File, error) {
	var progress func(done, total int64)
	if o.Progress != nil {
		progress = func(done, total int64) { o.Progress("pull", done, total) }
	}
	files, err := catalog.Unpack(ctx, stage.Dir, o.Entry.Bundle(), bundled, o.Fetch, progress)
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

// unpackVmlinux takes the kernel out of a bzImage, where the bundle holds one
// by the name of vmlinux, and reports whether it did.
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
