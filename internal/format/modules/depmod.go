package modules

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"banger/internal/pattern"
)

// Index reads all modules below dir and writes to it the files that modprobe,
// udev and kmod look them up in, as depmod does: modules.dep, modules.alias,
// modules.softdep, modules.devname and the binary indexes, also those of what
// is built in. What every guest loads to boot is unpacked, where it is
// compressed, and listed for Boot.
func Index(ctx context.Context, dir string) error {
	if err := writeIndexes(ctx, dir); err != nil {
		return fmt.Errorf("index modules: %w", err)
	}
	return nil
}

func writeIndexes(ctx context.Context, dir string) error {
	s, err := read(ctx, dir)
	if err != nil {
		return err
	}
	boot, err := s.needed(atBoot)
	if err != nil {
		return err
	}
	if err := unpack(dir, boot); err != nil {
		return err
	}
	files, err := s.indexes()
	if err != nil {
		return err
	}
	files[bootList] = listOf(boot)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := replace(dir, name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s *set) indexes() (map[string][]byte, error) {
	files := map[string][]byte{
		// Nothing looks symbols up, as the modules name their dependencies;
		// but kmod wants the file.
		"modules.symbols":     []byte("# Aliases for symbols, used by symbol_request().\n"),
		"modules.symbols.bin": new(index).encode(),
	}
	if err := s.addDependencies(files); err != nil {
		return nil, err
	}
	s.addAliases(files)
	s.addBuiltin(files)
	return files, nil
}

func (s *set) addDependencies(files map[string][]byte) error {
	var text strings.Builder
	var trie index
	for i, m := range s.modules {
		deps, err := s.dependencies(m)
		if err != nil {
			return err
		}
		line := m.Path + ":"
		for _, d := range deps {
			line += " " + d.Path
		}
		text.WriteString(line + "\n")
		trie.insert(m.Name, line, i)
	}
	files["modules.dep"], files["modules.dep.bin"] = []byte(text.String()), trie.encode()
	return nil
}

func (s *set) addAliases(files map[string][]byte) {
	var alias, soft, dev strings.Builder
	alias.WriteString("# Aliases extracted from modules themselves.\n")
	soft.WriteString("# Soft dependencies extracted from modules themselves.\n")
	dev.WriteString("# Device nodes to trigger on-demand module loading.\n")
	var trie index
	for i, m := range s.modules {
		for _, a := range m.aliases {
			fmt.Fprintf(&alias, "alias %s %s\n", a, m.Name)
			trie.insert(normal(a), m.Name, i)
		}
		for _, text := range m.soft {
			fmt.Fprintf(&soft, "softdep %s %s\n", m.Name, text)
		}
		dev.WriteString(m.deviceLine())
	}
	files["modules.alias"], files["modules.alias.bin"] = []byte(alias.String()), trie.encode()
	files["modules.softdep"] = []byte(soft.String())
	files["modules.devname"] = []byte(dev.String())
}

var deviceNumber = pattern.New(`^(char|block)-major-([0-9]+)-([0-9]+)$`)

// deviceLine is a module's line in modules.devname: the device node whose
// opening loads it, "" where there is none.
func (m described) deviceLine() string {
	var name, number string
	for _, a := range m.aliases {
		if node, ok := strings.CutPrefix(a, "devname:"); ok {
			name = node
		}
		if part := deviceNumber().FindStringSubmatch(a); part != nil {
			number = part[1][:1] + part[2] + ":" + part[3]
		}
		if name != "" && number != "" {
			return fmt.Sprintf("%s %s %s\n", m.Name, name, number)
		}
	}
	return ""
}

func (s *set) addBuiltin(files map[string][]byte) {
	var names, aliases index
	for name := range s.builtin {
		names.insert(name, "", 0)
	}
	for _, a := range s.builtinAliases {
		aliases.insert(normal(a.alias), a.name, 0)
	}
	files["modules.builtin.bin"] = names.encode()
	files["modules.builtin.alias.bin"] = aliases.encode()
}

// dependencies returns all that m needs, the last to be loaded first. What is
// built in or absent is not listed, as depmod does not list it either.
func (s *set) dependencies(m *described) ([]*described, error) {
	var order []*described
	if err := s.collect(m, map[*described]bool{}, &order); err != nil {
		return nil, err
	}
	slices.Reverse(order)
	return order[1:], nil
}

// collect appends what m needs, and it, to order. In met are the modules that
// it came by: true once it is done with them.
func (s *set) collect(m *described, met map[*described]bool, order *[]*described) error {
	met[m] = false
	for _, name := range m.depends {
		dep := s.byName[name]
		done, again := met[dep]
		switch {
		case again && !done:
			return fmt.Errorf("module %s depends on itself", dep.Name)
		case again || dep == nil:
			continue
		}
		if err := s.collect(dep, met, order); err != nil {
			return err
		}
	}
	met[m] = true
	*order = append(*order, m)
	return nil
}
