package filesync

import (
	"errors"
	"maps"
	"os"
	"path"
	"slices"

	"banger/internal/format/tree"
)

// Names are the state's, sorted.
func (s State) Names() []string { return slices.Sorted(maps.Keys(s)) }

// Stamp is that of a file in the state, or the zero one, as NoStamp's is.
func (s State) Stamp(name string) tree.Stamp { return s[name].Stamp }

// NoStamp is the zero one of any file.
func NoStamp(string) tree.Stamp { return tree.Stamp{} }

// Remove removes what is in the state from the directory top, and with prune what
// it was in as far as that is empty then, and returns what it has not for it was
// something else by then.
func (s State) Remove(top string, prune bool) (changed State, err error) {
	changed = State{}
	r, err := tree.NewRemover(top)
	if errors.Is(err, os.ErrNotExist) {
		return changed, nil
	}
	if err != nil {
		return changed, err
	}
	defer r.Close()
	names := s.Names()
	for i, name := range slices.Backward(names) {
		err := r.Remove(name, s[name].Stamp)
		if errors.Is(err, tree.ErrChanged) {
			changed[name] = s[name]
		} else if err != nil {
			return changed, &tree.FileError{Name: name, Err: err}
		}
		if prune && (i == 0 || path.Dir(names[i-1]) != path.Dir(name)) {
			pruneDirs(r, path.Dir(name))
		}
	}
	return changed, nil
}

// pruneDirs removes a directory and those above it as far as they are empty.
func pruneDirs(r *tree.Remover, dir string) {
	for dir != "." && r.Remove(dir, tree.Stamp{}) == nil {
		dir = path.Dir(dir)
	}
}

// Place notes a file that was put into a directory; its hash is unknown. Nothing is
// noted that is not kept alike.
func (s State) Place(name string, executable bool, stamp tree.Stamp) {
	if !Hidden(name) {
		s[name] = Entry{Content{Kind: File, Executable: executable}, stamp}
	}
}

// Miss notes that something was not done to a file, as Place notes one.
func (s State) Miss(name string) {
	if !Hidden(name) {
		s[name] = Entry{Content: Content{Kind: File}}
	}
}
