package filesync

import (
	"errors"
	"maps"
	"path"
	"slices"

	"banger/internal/format/tree"
)

// Names are the state's, sorted.
func (s State) Names() []string { return slices.Sorted(maps.Keys(s)) }

// Remove removes what is in the state from the directory top, and with prune what
// it was in as far as that is empty then, and returns what it has not for it was something else by then.
func (s State) Remove(top string, prune bool) (changed State, err error) {
	changed = State{}
	for _, name := range slices.Backward(s.Names()) {
		err := tree.Remove(top, name, s[name].Stamp)
		if errors.Is(err, tree.ErrChanged) {
			changed[name] = s[name]
			continue
		}
		if err != nil {
			return changed, &tree.FileError{Name: name, Err: err}
		}
		for dir := path.Dir(name); prune && dir != "."; dir = path.Dir(dir) {
			if tree.Remove(top, dir, tree.Stamp{}) != nil {
				break
			}
		}
	}
	return changed, nil
}

// Place notes a file that was put into a directory; its hash is unknown. Nothing is
// noted that is not kept alike.
func (s State) Place(name string, executable bool, stamp tree.Stamp) {
	if !Hidden(name) {
		s[name] = Entry{Content{Kind: File, Executable: executable}, stamp}
	}
}

// Miss notes that something was not done to a file.
func (s State) Miss(name string) { s[name] = Entry{Content: Content{Kind: File}} }
