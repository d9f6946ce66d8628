package imagemgr

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"

	"banger/internal/format/rootfs"
)

var errNoInput = errors.New("there is no standard input here")

// openTar opens a root filesystem's tar, a file or standard input.
func openTar(ctx context.Context, o PullOptions) (*source, error) {
	if o.Source.Rest == "-" && o.Stdin == nil {
		return nil, errNoInput
	}
	if o.Source.Rest == "-" {
		return tarSource(ctx, io.NopCloser(o.Stdin), newMeter(o.Progress, "read", 0), o.Limits), nil
	}
	f, err := os.Open(o.Source.Rest)
	if err != nil {
		return nil, plain(err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory, not a tar")
	}
	if err != nil {
		f.Close()
		return nil, plain(err)
	}
	return tarSource(ctx, f, newMeter(o.Progress, "read", info.Size()), o.Limits), nil
}

// tarSource is a tar that is read as it comes, and hashed on the way.
func tarSource(ctx context.Context, r io.ReadCloser, m *meter, limits Limits) *source {
	sum := sha256.New()
	digest := func() string { return digestOf(sum) }
	return &source{
		entries: func(yield func(*tar.Header, io.Reader) error) error {
			defer r.Close()
			return rootfs.FromTar(ctx, io.TeeReader(m.reader(r), sum), limits.unpacked())(yield)
		},
		digest: digest,
		seed:   digest,
	}
}

func digestOf(sum hash.Hash) string { return "sha256:" + hex.EncodeToString(sum.Sum(nil)) }
