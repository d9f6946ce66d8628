package catalog

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"aead.dev/minisign"

	"banger/internal/fetch"
	"banger/internal/ref"
)

// BuiltIn is the name of the catalog that is a part of the program.
const BuiltIn = "built-in"

// Kind is what a catalog lists.
type Kind string

// The kinds.
const (
	Kernels Kind = "kernels"
	Images  Kind = "images"
)

// Source is a place of catalogs that a user has configured, a [[catalog]] table
// of config.toml.
type Source struct {
	Name      string `toml:"name" json:"name"`
	Kernels   string `toml:"kernels,omitempty" json:"kernels,omitempty"` // URL or absolute path of that catalog, or ""
	Images    string `toml:"images,omitempty" json:"images,omitempty"`   // the same
	PublicKey string `toml:"public_key,omitempty" json:"public_key,omitempty"`
	Insecure  bool   `toml:"insecure,omitempty" json:"insecure,omitempty"` // unsigned and unencrypted is fine
}

// CheckSources reports whether a user may have configured all these.
func CheckSources(sources []Source) error {
	seen := map[string]bool{BuiltIn: true}
	for _, s := range sources {
		if err := s.check(); err != nil {
			return err
		}
		if seen[s.Name] {
			return fmt.Errorf("there are two catalogs called %q", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

func (s Source) check() error {
	if err := ref.CheckName("catalog", s.Name); err != nil {
		return err
	}
	if s.Kernels == "" && s.Images == "" {
		return fmt.Errorf("catalog %q has neither kernels nor images", s.Name)
	}
	for _, at := range []string{s.Kernels, s.Images} {
		if at == "" {
			continue
		}
		if err := s.location(at).check(); err != nil {
			return fmt.Errorf("catalog %q: %w", s.Name, err)
		}
	}
	return nil
}

func (s Source) at(kind Kind) string {
	if kind == Kernels {
		return s.Kernels
	}
	return s.Images
}

func (s Source) location(at string) Location {
	return Location{Name: s.Name, At: at, PublicKey: s.PublicKey, Insecure: s.Insecure}
}

// Location is where a catalog is, and what makes it trusted.
type Location struct {
	Name      string // for people
	At        string // URL or path
	PublicKey string // minisign's, of the signature that a remote one carries
	Insecure  bool
}

// Locations returns where the catalogs of a kind are, in the order in which
// they count. The override, paths and URLs with commas between, takes the
// sources' place; the key for a URL is still that of the source that has it.
func Locations(kind Kind, sources []Source, override string) []Location {
	var all []Location
	for _, s := range sources {
		if at := s.at(kind); at != "" {
			all = append(all, s.location(at))
		}
	}
	if override == "" {
		return all
	}
	var instead []Location
	for at := range strings.SplitSeq(override, ",") {
		if at = strings.TrimSpace(at); at != "" {
			instead = append(instead, find(all, at))
		}
	}
	return instead
}

func find(known []Location, at string) Location {
	for _, l := range known {
		if l.At == at {
			return l
		}
	}
	if abs, err := filepath.Abs(at); err == nil && !isURL(at) {
		at = abs
	}
	return Location{Name: at, At: at}
}

func (l Location) remote() bool { return isURL(l.At) }

func isURL(text string) bool { return strings.Contains(text, "://") }

// check reports whether the location is one to read a catalog from.
func (l Location) check() error {
	if !l.remote() {
		if !filepath.IsAbs(l.At) {
			return fmt.Errorf("%q is neither a URL nor an absolute path", l.At)
		}
		return nil
	}
	if err := fetch.CheckURL(l.At, l.Insecure); err != nil {
		return err
	}
	if l.PublicKey == "" && !l.Insecure {
		return errors.New("a remote catalog needs the minisign public_key that its signature is of, or insecure = true")
	}
	_, err := l.key()
	return err
}

// key returns the key of the signature that is asked for, nil for none.
func (l Location) key() (*minisign.PublicKey, error) {
	if l.PublicKey == "" {
		return nil, nil
	}
	key := new(minisign.PublicKey)
	if err := key.UnmarshalText([]byte(strings.TrimSpace(l.PublicKey))); err != nil {
		return nil, fmt.Errorf("%q is no minisign public key", l.PublicKey)
	}
	return key, nil
}
