package modules

import (
	"fmt"
	"strings"
)

// needed returns the modules to load for the named ones, in loading order:
// dependencies and soft dependencies first. Names that are built in, or that
// this kernel does not have, need nothing.
func (s *set) needed(names []string) ([]*described, error) {
	w := walk{set: s, met: map[string]bool{}}
	for _, name := range names {
		if err := w.visit(name); err != nil {
			return nil, err
		}
	}
	return w.order, nil
}

// walk goes through dependencies, depth first.
type walk struct {
	set   *set
	met   map[string]bool
	order []*described
}

func (w *walk) visit(name string) error {
	m := w.set.byName[name]
	if m == nil || w.met[name] {
		return nil
	}
	w.met[name] = true
	for _, soft := range w.set.softBefore(m) {
		if err := w.visit(soft); err != nil {
			return err
		}
	}
	for _, dep := range m.depends {
		if w.set.byName[dep] == nil && !w.set.builtin[dep] {
			return fmt.Errorf("module %s needs %s, which is not there", name, dep)
		}
		if err := w.visit(dep); err != nil {
			return err
		}
	}
	w.order = append(w.order, m)
	return nil
}

// softBefore returns the modules that m would like to be there before it.
func (s *set) softBefore(m *described) []string {
	var names []string
	for _, text := range m.soft {
		before, _, _ := strings.Cut(text, "post:")
		for _, wish := range strings.Fields(before) {
			if wish != "pre:" {
				names = append(names, s.resolve(wish)...)
			}
		}
	}
	return names
}

// resolve finds the modules that a soft dependency means, by name or alias.
func (s *set) resolve(wish string) []string {
	if s.byName[underscored(wish)] != nil {
		return []string{underscored(wish)}
	}
	var names []string
	for _, m := range s.modules {
		for _, alias := range m.aliases {
			if normal(alias) == normal(wish) {
				names = append(names, m.Name)
				break
			}
		}
	}
	return names
}
