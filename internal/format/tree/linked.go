package tree

import (
	"archive/tar"
	"fmt"
	"hash/maphash"
)

// linkables are the files that links may be to, as numbers that nobody can choose.
type linkables struct {
	seed  maphash.Seed
	names map[uint64]struct{}
}

func newLinkables() linkables { return linkables{maphash.MakeSeed(), map[uint64]struct{}{}} }

// add notes a file that says that there will be links to it.
func (l *linkables) add(h *tar.Header) error {
	if h.PAXRecords[linkedKey] == "" || h.Typeflag == tar.TypeLink {
		return nil
	}
	if len(l.names) >= maxLinked {
		return fmt.Errorf("more than %d files have several names", maxLinked)
	}
	l.names[maphash.String(l.seed, h.Name)] = struct{}{}
	return nil
}

func (l *linkables) has(name string) bool {
	_, has := l.names[maphash.String(l.seed, name)]
	return has
}
