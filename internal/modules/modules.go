// Package modules reads a kernel's modules directory, the content of
// /lib/modules/<release>: what the modules say of themselves, the index files
// that modprobe and udev look things up in, and what has to be loaded for a
// given one.
//
// It does depmod's work for kernels that were unpacked and never installed. It
// loads nothing, and takes the modules' bytes for foreign ones.
package modules

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Module is what a module says of itself.
type Module struct {
	Name    string // as the kernel writes it, with underscores
	Path    string // relative to the modules directory
	Depends []string
	Aliases []string
	Soft    []string // soft dependencies: "pre: a b post: c"
}

// Set is the modules of one kernel.
type Set struct {
	modules []Module // in modules.order's order, or sorted
	byName  map[string]int
	builtin []string // names of those that are part of the kernel
}

// suffixes are those that a module's file may have.
var suffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// NameOf returns the name of the module in a file, or false where the file's
// name is no module's.
func NameOf(file string) (string, bool) {
	base := path.Base(file)
	for _, suffix := range suffixes {
		if stem, ok := strings.CutSuffix(base, suffix); ok {
			return underscored(stem), true
		}
	}
	return "", false
}

func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

// Read reads all modules below dir.
func Read(ctx context.Context, dir string) (*Set, error) {
	files, err := moduleFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("read modules: %w", err)
	}
	set := &Set{byName: map[string]int{}}
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := readModule(dir, file)
		if err != nil {
			return nil, fmt.Errorf("read module %s: %w", file, err)
		}
		set.byName[m.Name] = len(set.modules)
		set.modules = append(set.modules, m)
	}
	set.builtin = readBuiltin(dir)
	return set, nil
}

func readModule(dir, file string) (Module, error) {
	content, err := ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
	if err != nil {
		return Module{}, err
	}
	m, err := parse(content)
	m.Path = file
	m.Name, _ = NameOf(file)
	return m, err
}

// moduleFiles lists the modules' files in the order of modules.order, by which
// the kernel's build ranks those that answer to one alias; what that file does
// not list comes after, sorted.
func moduleFiles(dir string) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, ok := NameOf(file); ok && d.Type().IsRegular() {
			files = append(files, file)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rank := map[string]int{}
	for i, line := range lines(filepath.Join(dir, "modules.order")) {
		if name, ok := NameOf(line); ok {
			rank[name] = i
		}
	}
	rankOf := func(file string) int {
		name, _ := NameOf(file)
		if r, ok := rank[name]; ok {
			return r
		}
		return len(rank)
	}
	slices.SortStableFunc(files, func(a, b string) int { return rankOf(a) - rankOf(b) })
	return files, nil
}

// lines returns a file's lines; an absent file has none.
func lines(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func readBuiltin(dir string) []string {
	var names []string
	for _, line := range lines(filepath.Join(dir, "modules.builtin")) {
		if name, ok := NameOf(line); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
