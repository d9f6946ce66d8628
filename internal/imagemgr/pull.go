package imagemgr

import (
	"context"
	"fmt"
	"io"

	"banger/internal/format/rootfs"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// PullOptions say what to pull and what to call it.
type PullOptions struct {
	Source    ref.Source
	Name      string
	KernelRef string    // only recorded
	Recorded  string    // recorded in place of Source, where not ""
	Stdin     io.Reader // what "-" means
	Replace   bool      // an image of that name gives way
	Limits    Limits
	Insecure  bool // plain http is fine for the registry
	Progress  Progress
	Warn      func(error) // hears of what goes wrong and ends nothing; may be nil
}

// source is where a root filesystem comes from. Its entries are walked once,
// and let go then of what they were read from.
type source struct {
	entries rootfs.Stream
	digest  func() string // of the source as it came, once the entries were walked
	seed    func() string // what identifies the entries, then too
	config  *Config
}

// Pull makes an image of a source, in one pass where it is a tar. A name that
// is taken is found out before any work is done; an error leaves nothing.
func (s *Store) Pull(ctx context.Context, o PullOptions) (Image, error) {
	if err := s.checkFree(o.Name, o.Replace); err != nil {
		return Image{}, err
	}
	var end func()
	o.Progress, end = o.Progress.guard()
	defer end()
	o.Limits = s.within(o.Limits)
	i, err := s.pull(ctx, o)
	if err != nil {
		return Image{}, fmt.Errorf("pull %s: %w", o.Source, limitError(err))
	}
	return i, nil
}

func (s *Store) pull(ctx context.Context, o PullOptions) (Image, error) {
	stage, err := s.tree.Stage()
	if err != nil {
		return Image{}, err
	}
	defer stage.Discard()
	src, err := s.open(ctx, o, stage.Dir)
	if err != nil {
		return Image{}, err
	}
	i := Image{Name: o.Name, KernelRef: o.KernelRef, Source: o.Recorded, Config: src.config}
	if i.Source == "" {
		i.Source = o.Source.String()
	}
	return s.make(ctx, stage, src, o.Limits, o.Replace, i)
}

// make makes the staged image of a source, completes its manifest and gives it
// its name.
func (s *Store) make(ctx context.Context, stage *statedir.Stage, src *source, limits Limits, replace bool, i Image) (Image, error) {
	found := &inspector{}
	src.entries = found.watch(src.entries)
	file, err := writeRootfs(ctx, stage.Path(statedir.Rootfs), src, limits)
	if err != nil {
		return Image{}, err
	}
	i.Distro, i.SourceDigest, i.Digest, i.Size = found.distro(), src.digest(), file.digest, file.size
	return s.publish(stage, replace, i)
}
