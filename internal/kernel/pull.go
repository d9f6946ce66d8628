package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/fetch"
	"banger/internal/kernelcat"
	"banger/internal/statedir"
)

// Progress hears how a pull gets on: what is being done, how many bytes of it,
// and of how many. It is called often, and may be nil.
type Progress func(step string, done, total int64)

// PullOptions says what to pull from a catalog.
type PullOptions struct {
	Entry    kernelcat.Entry
	Update   bool // take the place of what another bundle of that name held
	Force    bool // take the place of whatever has that name
	Fetch    fetch.Options
	Progress Progress
}

// Outcome is what a pull did.
type Outcome int

// The outcomes.
const (
	Pulled   Outcome = iota // the kernel is new
	Present                 // it was there
	Replaced                // it took the place of another, or of a damaged one
)

// TakenError says that a name is another kernel's than the catalog's.
type TakenError struct {
	Have Kernel
	Want kernelcat.Entry
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("kernel %q %s: version %s of %s, and the catalog has another, of version %s",
		e.Want.Name, statedir.ErrExist, e.Have.KernelVersion, e.Have.Source, e.Want.KernelVersion)
}

// Updatable reports whether PullOptions.Update is enough to take its place.
func (e *TakenError) Updatable() bool { return e.Have.BundleDigest != "" }

func (e *TakenError) Unwrap() error { return statedir.ErrExist }

// PullCatalog gets the kernel of a catalog's entry: exactly the bytes that the
// entry promises, or none. A kernel that is there needs no network. Of several
// calls at once, one downloads. The error is a *TakenError where the name is
// another kernel's and nothing in o lets it go.
func (s *Store) PullCatalog(ctx context.Context, o PullOptions) (Kernel, Outcome, error) {
	if err := o.Entry.Check(o.Fetch.Insecure); err != nil {
		return Kernel{}, 0, err
	}
	if o.Entry.Arch != Arch {
		return Kernel{}, 0, fmt.Errorf("kernels for %s cannot be booted: only %s ones can", o.Entry.Arch, Arch)
	}
	if k, is, err := s.present(o); is != absent && is != replaceable {
		return k, Present, err
	}
	lock, err := s.tree.Lock(ctx, o.Entry.Name)
	if err != nil {
		return Kernel{}, 0, err
	}
	defer lock.Remove()
	outcome := Pulled
	switch k, is, err := s.present(o); is { // again: another call may have pulled it
	case absent:
	case replaceable:
		outcome = Replaced
	default:
		return k, Present, err
	}
	k, err := s.pull(ctx, o)
	if err != nil {
		return Kernel{}, 0, fmt.Errorf("pull kernel %q: %w", o.Entry.Name, err)
	}
	return k, outcome, nil
}

// presence is what a store has under an entry's name.
type presence int

const (
	absent      presence = iota
	replaceable          // something that the pull may replace
	asked                // just what is to be pulled
	taken                // something else
)

func (s *Store) present(o PullOptions) (Kernel, presence, error) {
	k, err := s.Get(o.Entry.Name)
	var missing *NotFoundError
	switch {
	case errors.As(err, &missing):
		return Kernel{}, absent, nil
	case errors.Is(err, fs.ErrNotExist):
		return Kernel{}, taken, fmt.Errorf("%s holds no kernel: it is not banger's to replace", s.tree.Path(o.Entry.Name))
	case o.Force:
		return k, replaceable, nil
	case err != nil:
		return Kernel{}, taken, err
	case k.IsOf(o.Entry) && k.seemsWhole():
		return k, asked, nil
	case k.IsOf(o.Entry) || o.Update && k.BundleDigest != "":
		return k, replaceable, nil
	}
	return k, taken, &TakenError{Have: k, Want: o.Entry}
}

// digestOf is how a manifest names an entry's bundle.
func digestOf(e kernelcat.Entry) string { return "sha256:" + e.TarballSHA256 }

// IsOf reports whether the kernel was made of the entry's bundle.
func (k Kernel) IsOf(e kernelcat.Entry) bool { return k.BundleDigest == digestOf(e) }

// seemsWhole reports whether all files are there in their sizes, which is quick.
func (k Kernel) seemsWhole() bool {
	for _, f := range k.Files {
		info, err := os.Stat(filepath.Join(k.Dir, filepath.FromSlash(f.Path)))
		if err != nil || info.Size() != f.Size {
			return false
		}
	}
	return true
}

// pull downloads an entry's bundle into a stage and makes a kernel of that.
func (s *Store) pull(ctx context.Context, o PullOptions) (Kernel, error) {
	stage, err := s.tree.Stage()
	if err != nil {
		return Kernel{}, err
	}
	defer stage.Discard()
	known, err := download(ctx, stage, o)
	if err != nil {
		return Kernel{}, err
	}
	e := o.Entry
	m := Manifest{
		Name: e.Name, Distro: e.Distro, Arch: e.Arch, KernelVersion: e.KernelVersion,
		Source: e.TarballURL, BundleDigest: digestOf(e),
	}
	if err := s.prepare(ctx, stage, &m, known); err != nil {
		return Kernel{}, err
	}
	if err := stage.Replace(e.Name); err != nil {
		return Kernel{}, err
	}
	return Kernel{Manifest: m, Dir: s.tree.Path(e.Name)}, nil
}
