package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/BurntSushi/toml"

	"banger/internal/catalog"
	"banger/internal/pattern"
	"banger/internal/smallfile"
	"banger/internal/statedir"
)

// table is the line that begins a table, and ours one that begins a catalog's.
var (
	table = pattern.New(`(?m)^[ \t]*\[`)
	ours  = pattern.New(`^[ \t]*\[\[[ \t]*catalog[ \t]*\]\]`)
)

// NoCatalogError says that no catalog of a name is configured.
type NoCatalogError struct{ Name string }

func (e *NoCatalogError) Error() string { return fmt.Sprintf("no catalog is called %q", e.Name) }

// AddCatalog appends a catalog to the configuration in dir.
func AddCatalog(dir string, added catalog.Source) error {
	return edit(dir, func(text []byte, had []catalog.Source) ([]byte, []catalog.Source, error) {
		var encoded bytes.Buffer
		encoder := toml.NewEncoder(&encoded)
		encoder.Indent = ""
		one := struct {
			Catalog []catalog.Source `toml:"catalog"`
		}{[]catalog.Source{added}}
		if err := encoder.Encode(one); err != nil {
			return nil, nil, err
		}
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, '\n')
		}
		if len(text) > 0 {
			text = append(text, '\n')
		}
		return append(text, bytes.TrimLeft(encoded.Bytes(), "\n")...), append(had, added), nil
	})
}

// RemoveCatalog takes a catalog out of the configuration in dir. The error is a
// *NoCatalogError where it is not in it.
func RemoveCatalog(dir, name string) error {
	return edit(dir, func(text []byte, had []catalog.Source) ([]byte, []catalog.Source, error) {
		at := slices.IndexFunc(had, func(s catalog.Source) bool { return s.Name == name })
		if at < 0 {
			return nil, nil, &NoCatalogError{name}
		}
		from, to := span(text, at)
		return slices.Delete(text, from, to), slices.Delete(had, at, at+1), nil
	})
}

// span returns where the text of the catalog of that index is.
func span(text []byte, index int) (from, to int) {
	starts := append(table().FindAllIndex(text, -1), []int{len(text)})
	for i, start := range starts[:len(starts)-1] {
		if !ours().Match(text[start[0]:]) {
			continue
		}
		if index == 0 {
			return start[0], starts[i+1][0]
		}
		index--
	}
	return len(text), len(text)
}

// edit replaces the file, which is nobody else's meanwhile, by what change makes of it, if that says what change
// says it does and nothing else: a text that is laid out in a way that this
// package does not know is left alone.
func edit(dir string, change func([]byte, []catalog.Source) ([]byte, []catalog.Source, error)) error {
	lock, err := statedir.Tree{Kind: "configuration", Dir: dir}.Lock(context.Background(), FileName)
	if err != nil {
		return err
	}
	defer lock.Remove()
	path := filepath.Join(dir, FileName)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link into a user's own repository stays one
	}
	text, err := smallfile.Read(path, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before, err := parse(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	text, wanted, err := change(text, slices.Clone(before.Catalogs))
	if err != nil {
		return err
	}
	if err := catalog.CheckSources(wanted); err != nil {
		return err
	}
	before.Catalogs = wanted
	if after, err := parse(text); err != nil || !same(before, after) {
		return fmt.Errorf("%s is written in a way that banger does not know how to change: edit it by hand", path)
	}
	return statedir.WriteFile(path, text)
}

func parse(text []byte) (c Config, err error) {
	_, err = toml.Decode(string(text), &c)
	return c, err
}

// same compares, and takes no catalogs for as good as none.
func same(a, b Config) bool {
	if len(a.Catalogs) == 0 && len(b.Catalogs) == 0 {
		a.Catalogs, b.Catalogs = nil, nil
	}
	return reflect.DeepEqual(a, b)
}
