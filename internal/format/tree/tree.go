// Package tree is a tree of files as a tar, and back: with modes, times, links,
// hard links, extended attributes and the holes of files.
//
// A tar is never trusted: whatever it says, nothing outside the directory that it
// is unpacked into is written, and no link is followed there. A file has its name
// once all of it is there, and no other name before, where the file system can do
// so; what is cut off leaves a tree that lacks files, and no half of one. The memory
// that a tar takes has a bound, whatever is in it.
//
// The package knows of files and tars, and of no guests.
package tree

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

const (
	// maxDepth is how deep a tree may be: a directory above another one is open
	// while that is worked on.
	maxDepth = 1000
	// maxEntries is how many entries a tar may have.
	maxEntries = 50_000_000
	// maxLinked is how many files of a tar may have several names.
	maxLinked = 1 << 20
)

// linkedKey is the PAX record of a file that later entries may be links to.
const linkedKey = "BANGER.linked"

// xattrPrefix begins the PAX records of extended attributes.
const xattrPrefix = "SCHILY.xattr."

// Owner is whose files are.
type Owner struct{ UID, GID int }

var (
	errOutside = errors.New("the name leads outside")
	errDeep    = fmt.Errorf("it is deeper than %d directories", maxDepth)
)

// local returns a tar's name as one below the directory that it is unpacked into,
// "." for that itself.
func local(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return "", errOutside
	}
	name = path.Clean(name)
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", errOutside
	}
	if strings.Count(name, "/") > maxDepth {
		return "", errDeep
	}
	return name, nil
}

// maxNotes is how many notes are passed on; the rest are counted.
const maxNotes = 8

// notes pass on what is to be said of a copy that succeeds.
type notes struct {
	to    func(string)
	count int
}

func (n *notes) add(format string, args ...any) {
	if n.count++; n.count <= maxNotes && n.to != nil {
		n.to(fmt.Sprintf(format, args...))
	}
}

func (n *notes) end() {
	if more := n.count - maxNotes; more > 0 && n.to != nil {
		n.to(fmt.Sprintf("%d more of the kind", more))
	}
}
