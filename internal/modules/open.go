package modules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Open reads what WriteIndexes wrote to dir, which is quicker than reading the
// modules.
func Open(dir string) (*Set, error) {
	data, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("open modules: %w", err)
	}
	set := &Set{byName: map[string]int{}}
	for line := range strings.Lines(string(data)) {
		file, deps, ok := strings.Cut(strings.TrimSpace(line), ":")
		name, isModule := NameOf(file)
		if !ok || !isModule {
			return nil, fmt.Errorf("open modules: %q in modules.dep is no module", strings.TrimSpace(line))
		}
		m := Module{Name: name, Path: file}
		for _, dep := range strings.Fields(deps) {
			if depName, ok := NameOf(dep); ok {
				m.Depends = append(m.Depends, depName)
			}
		}
		set.byName[name] = len(set.modules)
		set.modules = append(set.modules, m)
	}
	set.readTable(dir, "softdep", func(m *Module, _, rest string) { m.Soft = append(m.Soft, rest) })
	set.readTable(dir, "alias", func(m *Module, key, _ string) { m.Aliases = append(m.Aliases, key) })
	set.builtin = readBuiltin(dir)
	return set, nil
}

// readTable reads "<kind> <key> <rest>" lines of modules.<kind>; the module is
// the key in modules.softdep and the rest in modules.alias.
func (s *Set) readTable(dir, kind string, add func(m *Module, key, rest string)) {
	for _, line := range lines(filepath.Join(dir, "modules."+kind)) {
		text, ok := strings.CutPrefix(line, kind+" ")
		key, rest, both := strings.Cut(text, " ")
		if !ok || !both {
			continue
		}
		name := key
		if kind == "alias" {
			name = rest
		}
		if i, known := s.byName[name]; known {
			add(&s.modules[i], key, rest)
		}
	}
}
