package imagemgr

import (
	"context"
	"fmt"
	"io"
)

// DebianBasePackages is what every image built of a Debian or Ubuntu one has:
// what a person who works in a VM misses first.
var DebianBasePackages = []string{
	"make",            // projects are built by it
	"git",             // projects are fetched and versioned by it
	"less",            // git and man show their output with it
	"tree",            // shows what a directory holds
	"ca-certificates", // without it nothing is fetched by https
	"curl",            // fetches, in most instructions on the web
	"wget",            // fetches, in the others
	"iproute2",        // ip and ss: what is connected to what
	"vim-tiny",        // an editor
	"tmux",            // several shells, which outlive a connection
}

// Build says what an image was built of.
type Build struct {
	Base           string    `json:"base"`        // an image's name, or a Dockerfile's
	BaseDigest     string    `json:"base_digest"` // of the base's rootfs.ext4
	Inputs         string    `json:"inputs"`      // digest of all that the build was told
	Packages       []Package `json:"packages,omitempty"`
	PackagesDigest string    `json:"packages_digest,omitempty"` // of the same, sorted, a line for each
}

// Package is an installed package of a distribution.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// TarOptions say of what root filesystem to make an image.
type TarOptions struct {
	Name      string
	KernelRef string    // only recorded
	Source    string    // only recorded
	Config    *Config   // only recorded
	Build     *Build    // only recorded
	Tar       io.Reader // read to its end, or until an error
	Replace   bool      // an image of that name gives way
}

// CheckFree reports whether name may be given to a new image. The error is
// statedir.ErrExist where it is taken and is not to be replaced.
func (s *Store) CheckFree(name string, replace bool) error { return s.checkFree(name, replace) }

// FromTar makes an image of a root filesystem's tar that is being written. An
// error leaves nothing.
func (s *Store) FromTar(ctx context.Context, o TarOptions) (Image, error) {
	if err := s.checkFree(o.Name, o.Replace); err != nil {
		return Image{}, err
	}
	stage, err := s.tree.Stage()
	if err != nil {
		return Image{}, err
	}
	defer stage.Discard()
	limits := s.within(Limits{})
	i, err := s.make(ctx, stage, tarSource(ctx, io.NopCloser(o.Tar), newMeter(nil, "", 0), limits), limits, o.Replace, Image{
		Name: o.Name, KernelRef: o.KernelRef, Source: o.Source, Config: o.Config, Build: o.Build,
	})
	if err != nil {
		return Image{}, fmt.Errorf("make image %q: %w", o.Name, limitError(err))
	}
	return i, nil
}
