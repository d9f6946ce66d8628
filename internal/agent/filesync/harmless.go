package filesync

import (
	"path"
	"slices"
	"strings"
)

// Harmless leaves out of what is to come from a guest what could have the host do
// more than hold a file: links that lead out of the directory or into a .git, what
// would make a directory one that git takes for a repository, and what git obeys by
// the host's own configuration.
func Harmless(pull []Change, here State, obeyed []string) (left []Change, refused []string) {
	if len(pull) == 0 {
		return nil, nil
	}
	is := present(pull, here)
	for _, c := range pull {
		if c.To.Kind != Absent && (Hidden(c.Name) || is.inRepository(c.Name) || isObeyed(c, obeyed)) || c.To.Kind == Link && leadsOut(c.Name, c.To.Hash) {
			refused = append(refused, c.Name)
			continue
		}
		left = append(left, c)
	}
	return left, refused
}

// presence are names that are there, and the directories above them, as some file
// systems take them.
type presence struct {
	names        map[string]bool
	repositories map[string]bool // of directories whether they are one, or in one, once that is known
}

// present are those that are there, or come.
func present(pull []Change, here State) presence {
	p := presence{map[string]bool{}, map[string]bool{}}
	for name := range here {
		p.add(name)
	}
	for _, c := range pull {
		if c.To.Kind != Absent {
			p.add(c.Name)
		}
	}
	return p
}

func (p presence) add(name string) {
	for name = plainPath(name); name != "." && !p.names[name]; name = parent(name) {
		p.names[name] = true
	}
}

func plainPath(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = plain(parts[i])
	}
	return path.Join(parts...)
}

// inRepository reports whether a name is in what git takes for a repository: one with
// a commondir has its objects, and its configuration, elsewhere.
func (p presence) inRepository(name string) bool { return p.isRepository(parent(plainPath(name))) }

func (p presence) isRepository(dir string) bool {
	is, known := p.repositories[dir]
	if !known {
		has := func(file string) bool { return p.names[path.Join(dir, file)] }
		is = has("head") && (has("commondir") || has("objects") && has("refs")) || dir != "." && p.isRepository(parent(dir))
		p.repositories[dir] = is
	}
	return is
}

// isObeyed reports whether a file is one of those, or in one, or becomes a link that
// leads to another.
func isObeyed(c Change, obeyed []string) bool {
	name := plainPath(c.Name)
	return slices.ContainsFunc(obeyed, func(other string) bool {
		other = plainPath(other)
		return name == other || strings.HasPrefix(name, other+"/") || c.To.Kind == Link && strings.HasPrefix(other, name+"/")
	})
}

// leadsOut reports whether a link, by its words, leads to outside or into a .git.
func leadsOut(name, target string) bool {
	if target == "" || target[0] == '/' {
		return true
	}
	depth, down := strings.Count(name, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "..":
			// Behind a name, it is the parent of what that is a link to.
			if depth--; down || depth < 0 {
				return true
			}
		case part != "" && part != ".":
			down = true
		}
	}
	return Hidden(target)
}
