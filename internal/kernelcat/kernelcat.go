// Package kernelcat is the catalog of kernels: which ones there are, where
// their bundles are and which bytes those have.
//
// What it returns is valid: names that are safe as file names, digests, and
// URLs that may be fetched. It fetches nothing.
package kernelcat

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"banger/internal/ref"
)

// version is the format's, of which there is one.
const version = 1

// arches are those that an entry may be for.
var arches = []string{"x86_64"}

//go:embed catalog.json
var embedded []byte

// Embedded returns the catalog that this program was built with.
func Embedded() (*Catalog, error) {
	c, err := Parse(embedded)
	if err != nil {
		return nil, fmt.Errorf("the built-in catalog: %w", err)
	}
	return c, nil
}

// Catalog is a list of kernels, sorted by name, then arch.
type Catalog struct {
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// Entry is one kernel for one architecture.
type Entry struct {
	Name          string `json:"name"`
	Distro        string `json:"distro"`
	Arch          string `json:"arch"`           // as uname -m says it
	KernelVersion string `json:"kernel_version"` // as uname -r says it
	TarballURL    string `json:"tarball_url"`
	TarballSHA256 string `json:"tarball_sha256"` // 64 lower-case hex digits
	SizeBytes     int64  `json:"size_bytes"`     // of the tarball
	Description   string `json:"description"`
}

// NotFoundError says that a catalog has no kernel of a name.
type NotFoundError struct {
	Name    string
	Nearest string // the one that may be meant, or ""
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no kernel in the catalog is called %q", e.Name)
}

// Find returns the entry for a name and an architecture. The error is a
// *NotFoundError where there is none.
func (c *Catalog) Find(name, arch string) (Entry, error) {
	var known []string
	for _, e := range c.Entries {
		if e.Arch != arch {
			continue
		}
		if e.Name == name {
			return e, nil
		}
		known = append(known, e.Name)
	}
	return Entry{}, &NotFoundError{Name: name, Nearest: ref.Nearest(name, known)}
}

// Parse reads a catalog and checks it.
func Parse(data []byte) (*Catalog, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var c Catalog
	if err := decoder.Decode(&c); err != nil {
		return nil, fmt.Errorf("read catalog: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read catalog: something follows it")
	}
	if c.Version != version {
		return nil, fmt.Errorf("read catalog: its version is %d, and %d is the one known: is there a newer banger?", c.Version, version)
	}
	for i, e := range c.Entries {
		if err := e.Check(); err != nil {
			return nil, fmt.Errorf("read catalog: entry %d: %w", i+1, err)
		}
		if i == 0 {
			continue
		}
		switch order := compare(c.Entries[i-1], e); {
		case order == 0:
			return nil, fmt.Errorf("read catalog: %s for %s is there twice", e.Name, e.Arch)
		case order > 0:
			return nil, fmt.Errorf("read catalog: %s is not in its place: entries are sorted", e.Name)
		}
	}
	return &c, nil
}

func compare(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
}

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Check tells whether e may be in a catalog.
func (e Entry) Check() error {
	if err := ref.CheckName("kernel", e.Name); err != nil {
		return err
	}
	switch {
	case ref.CheckName("distribution", e.Distro) != nil:
		return fmt.Errorf("%s: %q is no distribution", e.Name, e.Distro)
	case !slices.Contains(arches, e.Arch):
		return fmt.Errorf("%s: the architecture %q is not known", e.Name, e.Arch)
	case !digest.MatchString(e.TarballSHA256):
		return fmt.Errorf("%s: %q is no SHA-256", e.Name, e.TarballSHA256)
	case e.SizeBytes <= 0:
		return fmt.Errorf("%s: %d bytes is no size", e.Name, e.SizeBytes)
	case e.KernelVersion == "" || !printable(e.KernelVersion) || !printable(e.Description):
		return fmt.Errorf("%s: the version or the description is not one line of text", e.Name)
	}
	return e.checkURL()
}

func printable(text string) bool {
	return len(text) <= 1000 && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// checkURL wants https, or http from this machine.
func (e Entry) checkURL() error {
	u, err := url.Parse(e.TarballURL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%s: %q is no URL", e.Name, e.TarballURL)
	}
	address, err := netip.ParseAddr(u.Hostname())
	isLocal := u.Hostname() == "localhost" || err == nil && address.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && isLocal) {
		return fmt.Errorf("%s: %s is no https URL", e.Name, e.TarballURL)
	}
	return nil
}
