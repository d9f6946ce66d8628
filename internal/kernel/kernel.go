// Package kernel is the store of guest kernels and the ways that one gets into
// it: from this machine, or as a distribution's package.
//
// It guarantees that a kernel with a name is whole: an ELF vmlinux of the
// stated architecture, its modules with their indexes, and a manifest with the
// digest of every file. It boots nothing.
package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"banger/internal/ref"
	"banger/internal/statedir"
)

// Arch is the one architecture that there are kernels for, as catalogs and
// uname -m call it.
const Arch = "x86_64"

// Manifest is the content of a kernel's manifest.json.
type Manifest struct {
	Name          string    `json:"name"`
	Distro        string    `json:"distro"`
	Arch          string    `json:"arch"`
	KernelVersion string    `json:"kernel_version"` // as uname -r says it
	Source        string    `json:"source"`         // the reference, path or URL that it came from
	BundleDigest  string    `json:"bundle_digest,omitempty"`
	Files         []File    `json:"files"`
	PulledAt      time.Time `json:"pulled_at"`
	BangerVersion string    `json:"banger_version"`
}

// File is one file of a kernel.
type File struct {
	Path   string `json:"path"` // slash-separated, relative to the kernel's directory
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Kernel is a kernel in the store.
type Kernel struct {
	Manifest
	Dir string `json:"-"`
}

// Vmlinux is the path of the uncompressed kernel.
func (k Kernel) Vmlinux() string { return filepath.Join(k.Dir, statedir.Vmlinux) }

// Initrd is the path of the kernel's own initrd, "" where it has none.
func (k Kernel) Initrd() string { return k.present(statedir.Initrd) }

// ModulesDir is the path of what belongs into /lib/modules/<release>, "" where
// the kernel has no modules.
func (k Kernel) ModulesDir() string { return k.present(statedir.Modules) }

// ModulesImage is the path of the same as an ext4, "" where there is none.
func (k Kernel) ModulesImage() string { return k.present(statedir.ModulesImage) }

func (k Kernel) present(name string) string {
	path := filepath.Join(k.Dir, name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Size is the sum of the files' sizes in bytes.
func (k Kernel) Size() int64 {
	var total int64
	for _, f := range k.Files {
		total += f.Size
	}
	return total
}

// NotFoundError says that there is no kernel of a name.
type NotFoundError struct {
	Name    string
	Nearest string // a kernel that may be meant, or ""
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no kernel is called %q", e.Name) }

// Store is the kernels of one state tree.
type Store struct {
	tree    statedir.Tree
	version string
}

// NewStore returns the store of the kernels in tree; version is banger's, for
// their manifests.
func NewStore(tree statedir.Tree, version string) *Store { return &Store{tree, version} }

// Get returns the named kernel. The error is a *NotFoundError where there is
// none.
func (s *Store) Get(name string) (Kernel, error) {
	if err := ref.CheckName("kernel", name); err != nil {
		return Kernel{}, err
	}
	k := Kernel{Dir: s.tree.Path(name)}
	err := s.tree.ReadJSON(name, statedir.Manifest, &k.Manifest)
	if errors.Is(err, statedir.ErrAbsent) {
		return Kernel{}, s.notFound(name)
	}
	if err != nil {
		return Kernel{}, fmt.Errorf("open kernel %q: %w", name, err)
	}
	k.Name = name
	return k, nil
}

func (s *Store) notFound(name string) error {
	names, _ := s.tree.Names()
	return &NotFoundError{Name: name, Nearest: ref.Nearest(name, names)}
}

// List returns all kernels, sorted by name; one whose manifest cannot be read has its
// name alone. Directories that are no kernels are not the store's and are left out.
func (s *Store) List() ([]Kernel, error) {
	names, err := s.tree.Names()
	if err != nil {
		return nil, err
	}
	var all []Kernel
	for _, name := range names {
		k, err := s.Get(name)
		if errors.As(err, new(*NotFoundError)) || errors.As(err, new(*ref.NameError)) || errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile, or never made here
		}
		k.Name = name
		all = append(all, k)
	}
	return all, nil
}

// Remove deletes the named kernel. Whether something needs it is the caller's
// to know.
func (s *Store) Remove(name string) error {
	_, err := s.Get(name)
	if errors.As(err, new(*ref.NameError)) || errors.As(err, new(*NotFoundError)) {
		return err
	}
	err = s.tree.Remove(name) // a damaged one too
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(name) // another was faster
	}
	return err
}

// DamagedError says that a kernel is not what its manifest says.
type DamagedError struct {
	Name string
	Err  error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("kernel %q is damaged: %v", e.Name, e.Err) }
func (e *DamagedError) Unwrap() error { return e.Err }

// Verify hashes the named kernel's files again and compares them with its
// manifest. The error is a *DamagedError where they differ.
func (s *Store) Verify(ctx context.Context, name string) error {
	if err := ref.CheckName("kernel", name); err != nil {
		return err
	}
	err := s.tree.Watch(name, func() error { return s.verify(ctx, name) })
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(name)
	}
	return err
}

func (s *Store) verify(ctx context.Context, name string) error {
	k, err := s.Get(name)
	if err != nil {
		return err
	}
	for _, want := range k.Files {
		got, err := hashFile(ctx, k.Dir, want.Path)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return &DamagedError{name, err}
		}
		if got != want {
			return &DamagedError{name, fmt.Errorf("%s is not what its manifest says", want.Path)}
		}
	}
	return nil
}

// Digest is the SHA-256 of the digests of all files that a guest may see of the
// kernel.
func (k Kernel) Digest() string {
	h := sha256.New()
	for _, f := range k.Files {
		fmt.Fprintf(h, "%s %s\n", f.SHA256, f.Path)
	}
	return hex.EncodeToString(h.Sum(nil))
}
