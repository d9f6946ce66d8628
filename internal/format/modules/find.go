package modules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Find returns a module below dir and what it depends on, in loading order, as Index
// listed them. It is none where the kernel has that built in, or not at all.
func Find(dir, name string) ([]Module, error) {
	list, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("find module %s: %w", name, err)
	}
	for line := range strings.Lines(string(list)) {
		file, needs, _ := strings.Cut(line, ":")
		if is, ok := nameOf(file); !ok || is != name {
			continue
		}
		files := append([]string{file}, strings.Fields(needs)...) // the first to be loaded is the last
		slices.Reverse(files)
		return asModules(files)
	}
	return nil, nil
}

func asModules(files []string) (all []Module, err error) {
	for _, file := range files {
		name, ok := nameOf(file)
		if !ok || !filepath.IsLocal(file) {
			return nil, fmt.Errorf("%q in modules.dep is no module", file)
		}
		all = append(all, Module{name, file})
	}
	return all, nil
}

// Content returns what is in the file of a module below dir, decompressed.
func Content(dir string, m Module) ([]byte, error) {
	return content(filepath.Join(dir, filepath.FromSlash(m.Path)))
}
