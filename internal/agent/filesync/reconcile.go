package filesync

import (
	"slices"
	"strings"
)

// Reconcile finds what is to be done. What changed on one side alone is a change for
// the other; what changed on both is a conflict, unless it has become the same, or
// one of them has only removed it: then the other's change stands.
func Reconcile(base Base, here, there State) Plan {
	var p Plan
	for name, known := range base {
		p.decide(name, known.Content, here[name].Content, there[name].Content)
	}
	for name, h := range here {
		if _, known := base[name]; !known {
			p.decide(name, Content{}, h.Content, there[name].Content)
		}
	}
	for name, t := range there {
		_, known := base[name]
		if _, is := here[name]; !known && !is {
			p.decide(name, Content{}, Content{}, t.Content)
		}
	}
	p.Push = p.possible(p.Push, there)
	p.Pull = p.possible(p.Pull, here)
	slices.Sort(p.Conflicts)
	p.Conflicts = slices.Compact(p.Conflicts)
	return p
}

// decide says what is to be done about a name.
func (p *Plan) decide(name string, was, here, there Content) {
	switch {
	case here == there:
		p.Alike = append(p.Alike, name)
	case here == was, here.Kind == Absent && there != was:
		p.Pull = append(p.Pull, Change{name, here, there})
	case there == was, there.Kind == Absent:
		p.Push = append(p.Push, Change{name, there, here})
	default:
		p.Conflicts = append(p.Conflicts, name)
	}
}

// possible leaves out, as conflicts, what a side cannot do without losing what it
// alone has: a directory that is to become something else while files in it stay,
// and what is to be in a directory that stays something else.
func (p *Plan) possible(changes []Change, side State) []Change {
	if len(changes) == 0 {
		return nil
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
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
			for dir := parent(name); dir != "." && !holds[dir]; dir = parent(dir) {
				holds[dir] = true
			}
		}
	}
	stays := dirsAfter{after, map[string]bool{".": true}}
	return slices.DeleteFunc(changes, func(c Change) bool {
		bad := c.To.Kind != Dir && holds[c.Name] || c.To.Kind != Absent && !stays.are(parent(c.Name))
		if bad && (c.To.Kind != Absent) {
			p.Conflicts = append(p.Conflicts, c.Name)
		}
		return bad
	})
}

// dirsAfter knows of names whether they, and all that they are in, are directories
// then, or are not named.
type dirsAfter struct {
	after map[string]Kind
	known map[string]bool
}

func (d dirsAfter) are(dir string) bool {
	is, known := d.known[dir]
	if !known {
		kind, named := d.after[dir]
		is = (!named || kind == Dir || kind == Absent) && d.are(parent(dir))
		d.known[dir] = is
	}
	return is
}

// parent is what a name is in: path.Dir of a name that is clean. A guest's may be deep.
func parent(name string) string {
	if at := strings.LastIndexByte(name, '/'); at >= 0 {
		return name[:at]
	}
	return "."
}
