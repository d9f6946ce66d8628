package modules

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// set is what is known of the modules of one directory.
type set struct {
	modules        []*described // in modules.order's order
	byName         map[string]*described
	builtin        map[string]bool // the names of those that are part of the kernel
	builtinAliases []builtinAlias
}

type described struct {
	Module
	info
}

type builtinAlias struct{ alias, name string }

// read reads all modules below dir.
func read(ctx context.Context, dir string) (*set, error) {
	files, err := moduleFiles(dir)
	if err != nil {
		return nil, err
	}
	s := &set{byName: map[string]*described{}}
	if err := s.readBuiltin(dir); err != nil {
		return nil, err
	}
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(runtime.GOMAXPROCS(0))
	for _, file := range files {
		m := &described{Module: file}
		s.modules = append(s.modules, m)
		s.byName[m.Name] = m
		readers.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if m.info, err = readInfo(dir, m.Path); err != nil {
				return fmt.Errorf("module %s: %w", m.Path, err)
			}
			return nil
		})
	}
	return s, readers.Wait()
}

// readBuiltin reads modules.builtin, which has a path of each module that is
// built in, and modules.builtin.modinfo: NUL-terminated NAME.KEY=VALUE.
func (s *set) readBuiltin(dir string) error {
	list, err := readOptional(dir, "modules.builtin")
	if err != nil {
		return err
	}
	fields, err := readOptional(dir, "modules.builtin.modinfo")
	if err != nil {
		return err
	}
	s.builtin = map[string]bool{}
	for line := range strings.Lines(list) {
		if name, ok := nameOf(strings.TrimSpace(line)); ok {
			s.builtin[name] = true
		}
	}
	for field := range strings.SplitSeq(fields, "\x00") {
		name, rest, _ := strings.Cut(field, ".")
		if alias, ok := strings.CutPrefix(rest, "alias="); ok && alias != "" {
			s.builtinAliases = append(s.builtinAliases, builtinAlias{alias, name})
		}
	}
	return nil
}

// moduleFiles lists the modules in the order of modules.order, by which the
// kernel's build ranks those that answer to one alias; what that file does not
// list comes after, sorted.
func moduleFiles(dir string) ([]Module, error) {
	found, err := findModules(dir)
	if err != nil {
		return nil, err
	}
	order, err := readOptional(dir, "modules.order")
	if err != nil {
		return nil, err
	}
	rank := map[string]int{}
	for line := range strings.Lines(order) {
		if name, ok := nameOf(strings.TrimSpace(line)); ok {
			rank[name] = len(rank)
		}
	}
	rankOf := func(m Module) int {
		if r, ok := rank[m.Name]; ok {
			return r
		}
		return len(rank)
	}
	slices.SortStableFunc(found, func(a, b Module) int { return rankOf(a) - rankOf(b) })
	return found, nil
}

// findModules lists the modules, sorted by their paths. Of several of one name,
// that below updates/ counts, as for depmod, or else the first.
func findModules(dir string) ([]Module, error) {
	var found []Module
	at := map[string]int{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, ok := nameOf(file)
		if !ok || !d.Type().IsRegular() {
			return nil
		}
		i, twice := at[name]
		switch {
		case !twice:
			at[name] = len(found)
			found = append(found, Module{name, file})
		case strings.HasPrefix(file, "updates/"):
			found[i].Path = file
		}
		return nil
	})
	return found, err
}
