// Package filesync finds what has to be done for two directories to become alike,
// one of the host's and one of a guest's, of which each may have changed since they
// were.
//
// What is to be done is a pure function of three states: the one of the last time,
// the one here and the one there. The two ends beside it say what state a directory
// is in. The package moves no files, and knows of no links and no VMs.
package filesync

import (
	"path"
	"slices"
	"strings"

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
	Alike     []string
}

// Reconcile finds what is to be done. What changed on one side alone is a change for
// the other; what changed on both is a conflict, unless it has become the same, or
// one of them has only removed it: then the other's change stands.
func Reconcile(base Base, here, there State) Plan {
	var p Plan
	for _, name := range names(base, here, there) {
		was, h, t := base[name].Content, here[name].Content, there[name].Content
		switch {
		case h == t:
			p.Alike = append(p.Alike, name)
		case h == was, h.Kind == Absent && t != was:
			p.Pull = append(p.Pull, Change{name, h, t})
		case t == was, t.Kind == Absent:
			p.Push = append(p.Push, Change{name, t, h})
		default:
			p.Conflicts = append(p.Conflicts, name)
		}
	}
	p.Push = p.possible(p.Push, there)
	p.Pull = p.possible(p.Pull, here)
	slices.Sort(p.Conflicts)
	p.Conflicts = slices.Compact(p.Conflicts)
	return p
}

func names(base Base, here, there State) []string {
	all := make([]string, 0, len(base)+len(here))
	for name := range base {
		all = append(all, name)
	}
	for name := range here {
		if _, known := base[name]; !known {
			all = append(all, name)
		}
	}
	for name := range there {
		_, known := base[name]
		if _, is := here[name]; !known && !is {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// possible leaves out, as conflicts, what a side cannot do without losing what it
// alone has: a directory that is to become something else while files in it stay,
// and what is to be in a directory that stays something else.
func (p *Plan) possible(changes []Change, side State) []Change {
	after := map[string]Kind{}
	for name, e := range side {
		after[name] = e.Kind
	}
	for _, c := range changes {
		after[c.Name] = c.To.Kind
	}
	holds := map[string]bool{} // directories in which something stays or comes
	for name, kind := range after {
		if kind != Absent {
			for dir := path.Dir(name); dir != "." && !holds[dir]; dir = path.Dir(dir) {
				holds[dir] = true
			}
		}
	}
	return slices.DeleteFunc(changes, func(c Change) bool {
		bad := c.To.Kind != Dir && holds[c.Name] || c.To.Kind != Absent && !inDirs(c.Name, after)
		if bad && (c.To.Kind != Absent) {
			p.Conflicts = append(p.Conflicts, c.Name)
		}
		return bad
	})
}

// inDirs reports whether all that a name is in is a directory, or is not named.
func inDirs(name string, after map[string]Kind) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if kind, named := after[dir]; named && kind != Dir && kind != Absent {
			return false
		}
	}
	return true
}

// Hidden reports whether a name is not for keeping alike: what is in a .git, by
// which git runs programs of its own, and what a copy leaves for a moment.
func Hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") || strings.HasPrefix(part, ".banger-") || strings.EqualFold(part, "git~1") {
			return true
		}
	}
	return false
}
