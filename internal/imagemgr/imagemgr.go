// Package imagemgr keeps images: it makes them of a root filesystem's tar, of
// an OCI image, of a Debian suite or of an ext4 file, and finds, lists and
// removes them.
//
// An image is a directory with rootfs.ext4, which nothing writes to any more,
// and manifest.json. One that can be seen is whole: it was made in a staging
// directory, and its sources were checked, before it got its name. The package
// boots nothing and knows no VM: whether an image is in use is its callers'
// question.
package imagemgr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"banger/internal/fetch"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// Image is the content of manifest.json.
type Image struct {
	Name          string    `json:"name"`
	Distro        string    `json:"distro"` // ID in os-release, or ""
	Arch          string    `json:"arch"`
	KernelRef     string    `json:"kernel_ref"`
	Source        string    `json:"source"`                  // the reference, as the user wrote it
	SourceDigest  string    `json:"source_digest,omitempty"` // of the tar, of the OCI manifest or of the bundle
	Digest        string    `json:"digest"`                  // of rootfs.ext4, "sha256:..."
	Size          int64     `json:"size"`                    // of rootfs.ext4, in bytes
	Config        *Config   `json:"config,omitempty"`        // OCI images have one
	Build         *Build    `json:"build,omitempty"`         // images built of others have one
	CreatedAt     time.Time `json:"created_at"`
	BangerVersion string    `json:"banger_version,omitempty"`
}

// Config is what an OCI image says of the program that it is made for.
type Config struct {
	User       string            `json:"user,omitempty"`
	Env        []string          `json:"env,omitempty"`
	WorkingDir string            `json:"working_dir,omitempty"`
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Cmd        []string          `json:"cmd,omitempty"`
	StopSignal string            `json:"stop_signal,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// NotFoundError says that there is no image of a name.
type NotFoundError struct {
	Name    string
	Nearest string // an image that may be meant, or ""
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no image is called %q", e.Name) }

// Store is the images of one state tree.
type Store struct {
	Version string // banger's, for manifests
	Limits  Limits // of what images are made of; 0 is none

	tree    statedir.Tree
	blobs   statedir.Tree // what was fetched from registries
	backoff time.Duration // before a transfer that broke off is taken up
	sleep   func(context.Context, time.Duration) error
}

// NewStore returns the store of the images in dirs.
func NewStore(dirs statedir.Dirs) *Store {
	return &Store{tree: dirs.ImageTree(), blobs: dirs.BlobTree(), backoff: 500 * time.Millisecond, sleep: fetch.Sleep}
}

// Rootfs returns the path of the named image's file system.
func (s *Store) Rootfs(name string) string { return s.tree.Path(name, statedir.Rootfs) }

// Get returns the named image. The error is a *NotFoundError where there is
// none.
func (s *Store) Get(name string) (Image, error) {
	if err := ref.CheckName("image", name); err != nil {
		return Image{}, err
	}
	var i Image
	err := s.tree.ReadJSON(name, statedir.Manifest, &i)
	if errors.Is(err, statedir.ErrAbsent) {
		return Image{}, s.notFound(name)
	}
	i.Name = name
	if err != nil {
		err = fmt.Errorf("open image %q: %w", name, err)
	}
	return i, err
}

// List returns all images, sorted by name. Of one whose manifest cannot be
// read, only the name is known: it can be seen and removed.
func (s *Store) List() ([]Image, error) {
	names, err := s.tree.Names()
	if err != nil {
		return nil, err
	}
	var all []Image
	for _, name := range names {
		i, err := s.Get(name)
		if _, gone := errors.AsType[*NotFoundError](err); gone {
			continue // removed meanwhile
		}
		all = append(all, i)
	}
	return all, nil
}

// Remove deletes the named image, whoever uses it. The error is a
// *NotFoundError where there is none.
func (s *Store) Remove(name string) error {
	if err := ref.CheckName("image", name); err != nil {
		return err
	}
	err := s.tree.Remove(name)
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(name)
	}
	return err
}

func (s *Store) notFound(name string) error {
	names, _ := s.tree.Names()
	return &NotFoundError{Name: name, Nearest: ref.Nearest(name, names)}
}

// checkFree reports whether name may be given to a new image. The error is
// statedir.ErrExist where it is taken and is not to be replaced.
func (s *Store) checkFree(name string, replace bool) error {
	if err := ref.CheckName("image", name); err != nil {
		return err
	}
	if !replace && s.tree.Exists(name) {
		return fmt.Errorf("image %q %w", name, statedir.ErrExist)
	}
	return nil
}
