package policy

import (
	"fmt"
	"slices"
)

// Change is what of settings is to become another.
type Change struct {
	Replace bool     `json:"replace,omitempty"` // forget what was there
	Egress  *string  `json:"egress,omitempty"`  // nil leaves it
	Allow   []string `json:"allow,omitempty"`   // added
	Deny    []string `json:"deny,omitempty"`    // added
	Remove  []string `json:"remove,omitempty"`  // of both, as they were written
}

// IsEmpty reports whether nothing is to change.
func (c Change) IsEmpty() bool {
	return !c.Replace && c.Egress == nil && len(c.Allow)+len(c.Deny)+len(c.Remove) == 0
}

// Apply returns s with the change made; what it says twice is said once.
func (c Change) Apply(s Settings) (Settings, error) {
	if c.Replace {
		s = Settings{}
	}
	for _, text := range c.Remove {
		if !slices.Contains(s.Allow, text) && !slices.Contains(s.Deny, text) {
			return s, fmt.Errorf("rule %q is not there", text)
		}
	}
	if c.Egress != nil {
		s.Egress = *c.Egress
	}
	s.Allow, s.Deny = changed(s.Allow, c.Remove, c.Allow), changed(s.Deny, c.Remove, c.Deny)
	_, err := New(s)
	return s, err
}

func changed(old, remove, add []string) (list []string) {
	for _, text := range old {
		if !slices.Contains(remove, text) {
			list = append(list, text)
		}
	}
	for _, text := range add {
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
