// Package filesync finds what has to be done for two directories to become alike,
// one of the host's and one of a guest's, of which each may have changed since they
// were.
//
// What is to be done is a pure function of three states: the one of the last time,
// the one here and the one there. The two ends beside it say what state a directory
// is in. The package moves no files, and knows of no links and no VMs.
package filesync

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"banger/internal/format/tree"
)

// Kind is what a file is.
type Kind byte

// The kinds that are kept alike.
const (
	Absent Kind = iota
	File
	Dir
	Link
)

// Content is what is to be alike of a file.
type Content struct {
	Kind       Kind
	Executable bool   // of a File
	Hash       string // SHA-256 of a File's bytes, or where a Link leads; "" of a File is unknown
}

// Entry is a file as it is somewhere.
type Entry struct {
	Content
	Stamp tree.Stamp
}

// State is what is in a directory, by slash-separated names.
type State map[string]Entry

// Known is a file of the last time: what it was on both sides, and by what each of
// them shows that it still is that.
type Known struct {
	Content
	Here, There tree.Stamp
}

// Base is what was alike the last time.
type Base map[string]Known

// Change is what one side has to do to be like the other.
type Change struct {
	Name string
	From Content // what it is on the side that is to change
	To   Content
}

// Plan is what is to be done.
type Plan struct {
	Push      []Change // for the other side, in the order in which it can be done
	Pull      []Change // for this side
	Conflicts []string // what changed on both sides, each in its own way
	Alike     []string // in no order
}

// Hidden reports whether a name is not for keeping alike: what is in a .git, by
// which git runs programs of its own, and what a copy leaves for a moment.
func Hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] < utf8.RuneSelf && part[0] != '.' && part[0]|0x20 != 'g' {
			continue
		}
		if strings.HasPrefix(part, ".banger-") || isGit(part) {
			return true
		}
	}
	return false
}

// isGit reports whether a file system may take a name for .git.
func isGit(name string) bool {
	name = plain(name)
	return name == ".git" || name == "git~1"
}

// plain is what a file system may take a name for: some know no case, some see no
// formatting characters, and some nothing behind a colon, and no spaces and dots at
// the end.
func plain(name string) string {
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimRight(name, " .")
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			// Twice, since some letters have only one case that is ASCII.
			return strings.ToLower(strings.ToUpper(strings.Map(seen, name)))
		}
	}
	return strings.ToLower(name)
}

// seen leaves out what Unicode has ignored where it is not understood, as far as it
// may be in a name.
func seen(r rune) rune {
	if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
		return -1
	}
	return r
}
