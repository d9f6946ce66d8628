// Package kernelcat is the catalog of kernels: which ones there are, where
// their bundles are and which bytes those have. It includes the catalog that is
// a part of the program.
//
// What it returns is valid: names that are safe as file names, digests, and
// URLs that may be fetched.
package kernelcat

import (
	"context"
	_ "embed"
	"fmt"

	"banger/internal/catalog"
)

//go:embed catalog.json
var embedded []byte

// Entry is one kernel for one architecture.
type Entry struct {
	Name          string `json:"name"`
	Distro        string `json:"distro"`
	Arch          string `json:"arch"`           // as uname -m says it
	KernelVersion string `json:"kernel_version"` // as uname -r says it
	TarballURL    string `json:"tarball_url"`    // or oci://, a registry's artifact by its digest
	TarballSHA256 string `json:"tarball_sha256"` // 64 lower-case hex digits
	SizeBytes     int64  `json:"size_bytes"`     // of the tarball
	Description   string `json:"description"`
	CosignKey     string `json:"cosign_key,omitempty"` // in PEM, that has to have signed the artifact
}

// Kind says what the catalog lists.
func (e Entry) Kind() catalog.Kind { return catalog.Kernels }

// Identity is the entry's name and architecture.
func (e Entry) Identity() (name, arch string) { return e.Name, e.Arch }

// Bundle is what e says of its bundle.
func (e Entry) Bundle() catalog.Promise {
	return catalog.Promise{URL: e.TarballURL, SHA256: e.TarballSHA256, Size: e.SizeBytes, CosignKey: e.CosignKey}
}

// Check reports why e may not be in a catalog; insecure allows its bundle to come
// over plain http.
func (e Entry) Check(insecure bool) error {
	if err := catalog.CheckIdentity("kernel", e.Name, e.Distro, e.Arch); err != nil {
		return err
	}
	if e.KernelVersion == "" || !catalog.Printable(e.KernelVersion) || !catalog.Printable(e.Description) {
		return fmt.Errorf("%s: the version or the description is not one line of text", e.Name)
	}
	if err := e.Bundle().Check(insecure); err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	return nil
}

// Open reads the catalogs at the locations, and the built-in one.
func Open(ctx context.Context, l *catalog.Loader, at []catalog.Location) (*catalog.Set[Entry], error) {
	return catalog.Open[Entry](ctx, l, at, embedded)
}
