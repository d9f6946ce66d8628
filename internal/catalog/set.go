package catalog

import (
	"context"
	"fmt"

	"banger/internal/ref"
)

// Set is all catalogs of a kind that a user has, in the order in which they
// count. An entry hides those of its identity in the catalogs behind.
type Set[E Item] struct {
	// Faults say why catalogs that the user has are not among them.
	Faults  []error
	members []member[E]
}

type member[E Item] struct {
	from Location
	*Catalog[E]
}

// Offer is an entry of one of a Set's catalogs.
type Offer[E Item] struct {
	Entry    E
	Catalog  string // its name
	Insecure bool   // plain http is fine for the bundle
}

// Open reads the catalogs at the locations, and behind them the built-in one, whose
// bytes are given. One of the others that cannot be read is left out, with a fault.
func Open[E Item](ctx context.Context, l *Loader, at []Location, builtIn []byte) (*Set[E], error) {
	last, err := Parse[E](builtIn, false)
	if err != nil {
		return nil, fmt.Errorf("the built-in catalog: %w", err)
	}
	s := &Set[E]{}
	for _, from := range at {
		c, err := load[E](ctx, l.Load, from)
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		if err != nil {
			s.Faults = append(s.Faults, err)
			continue
		}
		s.members = append(s.members, member[E]{from, c})
	}
	s.members = append(s.members, member[E]{Location{Name: BuiltIn}, last})
	return s, nil
}

// Refresh fetches the remote catalog at a location anew.
func Refresh[E Item](ctx context.Context, l *Loader, from Location) (*Catalog[E], error) {
	return load[E](ctx, l.Refresh, from)
}

type getter func(context.Context, Location, func([]byte) (int64, error)) ([]byte, error)

func load[E Item](ctx context.Context, get getter, from Location) (*Catalog[E], error) {
	data, err := get(ctx, from, func(data []byte) (int64, error) {
		c, err := Parse[E](data, from.Insecure)
		if err != nil {
			return 0, err
		}
		return c.Serial, nil
	})
	if err != nil {
		return nil, err
	}
	return Parse[E](data, from.Insecure)
}

// Find returns the first entry for a name and an architecture. The error is a
// *NotFoundError where there is none.
func (s *Set[E]) Find(name, arch string) (Offer[E], error) {
	var known []string
	for _, o := range s.All() {
		itsName, itsArch := o.Entry.Identity()
		if itsArch != arch {
			continue
		}
		if itsName == name {
			return o, nil
		}
		known = append(known, itsName)
	}
	var none E
	return Offer[E]{}, &NotFoundError{Kind: none.Kind(), Name: name, Nearest: ref.Nearest(name, known)}
}

// All returns every entry that Find can find, by catalog.
func (s *Set[E]) All() []Offer[E] {
	type identity struct{ name, arch string }
	seen := map[identity]bool{}
	var all []Offer[E]
	for _, m := range s.members {
		for _, e := range m.Entries {
			name, arch := e.Identity()
			if id := (identity{name, arch}); !seen[id] {
				seen[id] = true
				all = append(all, Offer[E]{e, m.from.Name, m.from.Insecure})
			}
		}
	}
	return all
}
