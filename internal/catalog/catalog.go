// Package catalog is what catalogs of kernels and of images have in common: the
// format, which ones a user has, and how far a remote one is to be trusted.
//
// A catalog says which bundles there are, where, and which bytes those have. The
// entries that the package returns are valid, and come from a file of this
// machine or carry the signature of the key that the user has configured, unless
// the user has said that anything will do. It fetches catalogs, not bundles.
package catalog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"banger/internal/ref"
)

// version is the format's, of which there is one.
const version = 1

// MaxSize is how many bytes a catalog may have.
const MaxSize = 4 << 20

// Item is an entry of a catalog.
type Item interface {
	comparable
	// Kind is what the entry is one of.
	Kind() Kind
	// Identity is what no other entry of the catalog has.
	Identity() (name, arch string)
	// Check reports why the entry may not be in a catalog; insecure allows its bundle
	// to come over plain http.
	Check(insecure bool) error
}

// Catalog is a list of bundles, sorted by name, then arch.
type Catalog[E Item] struct {
	Version int   `json:"version"`
	Serial  int64 `json:"serial,omitempty"` // greater with every change of a remote catalog
	Entries []E   `json:"entries"`
}

// NotFoundError says that no catalog has an entry of a name.
type NotFoundError struct {
	Kind    Kind
	Name    string
	Nearest string // the one that may be meant, or ""
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no catalog has %q", e.Name) }

// Find returns the entry for a name and an architecture. The error is a
// *NotFoundError where there is none.
func (c *Catalog[E]) Find(name, arch string) (E, error) {
	var known []string
	for _, e := range c.Entries {
		itsName, itsArch := e.Identity()
		if itsArch != arch {
			continue
		}
		if itsName == name {
			return e, nil
		}
		known = append(known, itsName)
	}
	var none E
	return none, &NotFoundError{Kind: none.Kind(), Name: name, Nearest: ref.Nearest(name, known)}
}

// Parse reads a catalog and checks it; insecure allows its bundles to come over plain
// http.
func Parse[E Item](data []byte, insecure bool) (*Catalog[E], error) {
	c, _, err := parse[E](data, insecure)
	return c, err
}

// parse is Parse that also returns the text of each entry.
func parse[E Item](data []byte, insecure bool) (*Catalog[E], []json.RawMessage, error) {
	if len(data) > MaxSize {
		return nil, nil, fmt.Errorf("read catalog: it has more than %d MiB", MaxSize>>20)
	}
	// Each entry by itself: package json merges values of a key that comes twice.
	var raw struct {
		Version, Serial int64
		Entries         []json.RawMessage
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&raw); err != nil {
		return nil, nil, fmt.Errorf("read catalog: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("read catalog: something follows it")
	}
	if raw.Version != version {
		return nil, nil, fmt.Errorf("read catalog: its version is %d, and %d is the one known: is there a newer banger?", raw.Version, version)
	}
	if raw.Serial < 0 {
		return nil, nil, fmt.Errorf("read catalog: %d is no serial", raw.Serial)
	}
	c := &Catalog[E]{Version: version, Serial: raw.Serial, Entries: []E{}}
	for i, text := range raw.Entries {
		if err := c.add(text, insecure); err != nil {
			return nil, nil, fmt.Errorf("read catalog: entry %d: %w", i+1, err)
		}
	}
	return c, raw.Entries, nil
}

// add appends the entry that text holds, which has to sort behind the others.
func (c *Catalog[E]) add(text []byte, insecure bool) error {
	var e E
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	if err := e.Check(insecure); err != nil {
		return err
	}
	name, arch := e.Identity()
	if n := len(c.Entries); n > 0 {
		switch order := compare(c.Entries[n-1], e); {
		case order == 0:
			return fmt.Errorf("%s for %s is there twice", name, arch)
		case order > 0:
			return fmt.Errorf("%s is not in its place: entries are sorted", name)
		}
	}
	c.Entries = append(c.Entries, e)
	return nil
}

func compare[E Item](a, b E) int {
	aName, aArch := a.Identity()
	bName, bArch := b.Identity()
	return cmp.Or(cmp.Compare(aName, bName), cmp.Compare(aArch, bArch))
}
