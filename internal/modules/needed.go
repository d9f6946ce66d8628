package modules

import (
	"fmt"
	"slices"
	"strings"
)

// Needed returns the modules to load for the named ones, in loading order:
// dependencies and soft dependencies first. Names that are built in, or that
// this kernel does not have, need nothing.
func (s *Set) Needed(names ...string) ([]Module, error) {
	w := walk{set: s, state: map[string]int{}}
	for _, name := range names {
		if _, ok := s.byName[name]; !ok {
			continue
		}
		if err := w.visit(name); err != nil {
			return nil, err
		}
	}
	return w.order, nil
}

// walk goes through dependencies depth first.
type walk struct {
	set   *Set
	hard  bool           // hard dependencies only
	state map[string]int // of each module met
	order []Module
}

const (
	visiting = 1
	visited  = 2
)

func (w *walk) visit(name string) error {
	switch w.state[name] {
	case visited:
		return nil
	case visiting:
		return fmt.Errorf("module %s depends on itself", name)
	}
	i, ok := w.set.byName[name]
	if !ok {
		if slices.Contains(w.set.builtin, name) {
			return nil
		}
		return fmt.Errorf("module %s is needed and absent", name)
	}
	w.state[name] = visiting
	m := w.set.modules[i]
	if !w.hard {
		for _, soft := range w.set.softBefore(m) {
			if w.state[soft] != visiting {
				if err := w.visit(soft); err != nil {
					return err
				}
			}
		}
	}
	for _, hard := range m.Depends {
		if err := w.visit(hard); err != nil {
			return err
		}
	}
	w.state[name] = visited
	w.order = append(w.order, m)
	return nil
}

// softBefore returns the modules that m would like to be there before it: a
// soft dependency is a name or an alias.
func (s *Set) softBefore(m Module) []string {
	var names []string
	for _, soft := range m.Soft {
		before, _, _ := strings.Cut(soft, "post:")
		for _, wish := range strings.Fields(strings.TrimPrefix(strings.TrimSpace(before), "pre:")) {
			names = append(names, s.resolve(wish)...)
		}
	}
	return names
}

func (s *Set) resolve(wish string) []string {
	if _, ok := s.byName[underscored(wish)]; ok {
		return []string{underscored(wish)}
	}
	var names []string
	for _, m := range s.modules {
		if slices.Contains(m.Aliases, wish) {
			names = append(names, m.Name)
		}
	}
	return names
}

// dependencies returns all that m needs, the last to be loaded first, as
// modules.dep lists them.
func (s *Set) dependencies(m Module) ([]Module, error) {
	w := walk{set: s, hard: true, state: map[string]int{}}
	if err := w.visit(m.Name); err != nil {
		return nil, err
	}
	deps := w.order[:len(w.order)-1]
	slices.Reverse(deps)
	return deps, nil
}
