package modules

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// WriteIndexes writes to dir the files that modprobe, udev and kmod look
// modules up in, as depmod does: modules.dep, modules.alias, modules.softdep,
// modules.devname and, as binary indexes, those and modules.builtin.
func (s *Set) WriteIndexes(dir string) error {
	files, err := s.indexes()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return fmt.Errorf("index modules: %w", err)
		}
	}
	return nil
}

func (s *Set) indexes() (map[string][]byte, error) {
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

func (s *Set) addDependencies(files map[string][]byte) error {
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

func (s *Set) addAliases(files map[string][]byte) {
	alias, soft, dev := "# Aliases extracted from modules themselves.\n",
		"# Soft dependencies extracted from modules themselves.\n",
		"# Device nodes to trigger on-demand module loading.\n"
	var aliases, softs, devs strings.Builder
	var trie index
	for i, m := range s.modules {
		for _, a := range m.Aliases {
			fmt.Fprintf(&aliases, "alias %s %s\n", a, m.Name)
			trie.insert(aliasKey(a), m.Name, i)
		}
		for _, text := range m.Soft {
			fmt.Fprintf(&softs, "softdep %s %s\n", m.Name, text)
		}
		devs.WriteString(deviceLine(m))
	}
	files["modules.alias"] = []byte(alias + aliases.String())
	files["modules.alias.bin"] = trie.encode()
	files["modules.softdep"] = []byte(soft + softs.String())
	files["modules.devname"] = []byte(dev + devs.String())
}

// aliasKey writes underscores for dashes, except in character classes.
func aliasKey(alias string) string {
	key, inClass := []byte(alias), false
	for i, c := range key {
		switch {
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		case c == '-' && !inClass:
			key[i] = '_'
		}
	}
	return string(key)
}

var deviceNumber = regexp.MustCompile(`^(char|block)-major-([0-9]+)-([0-9]+)$`)

// deviceLine is a module's line in modules.devname: the device node whose
// opening loads it, "" where there is none.
func deviceLine(m Module) string {
	var name, number string
	for _, a := range m.Aliases {
		if node, ok := strings.CutPrefix(a, "devname:"); ok {
			name = node
		}
		if part := deviceNumber.FindStringSubmatch(a); part != nil {
			number = part[1][:1] + part[2] + ":" + part[3]
		}
	}
	if name == "" || number == "" {
		return ""
	}
	return fmt.Sprintf("%s %s %s\n", m.Name, name, number)
}

func (s *Set) addBuiltin(files map[string][]byte) {
	var trie index
	for _, name := range s.builtin {
		trie.insert(name, "", 0)
	}
	files["modules.builtin.bin"] = trie.encode()
	files["modules.builtin.alias.bin"] = new(index).encode()
}
