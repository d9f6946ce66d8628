package bundle

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxPath is PATH_MAX: what is longer could be made and then not be opened.
const maxPath = 4096

// textFault tells what makes a name or a link's target unfit to be written or
// printed, "" where nothing does.
func textFault(text string) string {
	switch {
	case text == "":
		return "is empty"
	case len(text) >= maxPath:
		return "is too long"
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "holds control characters"
	}
	return ""
}

// cleanName returns an entry's name in its plain form, "." for the root.
func cleanName(name string) (string, error) {
	if fault := textFault(name); fault != "" {
		return "", &Error{name, "is refused: its name " + fault}
	}
	if path.IsAbs(name) {
		return "", &Error{name, "is refused: its name is absolute"}
	}
	if slices.Contains(strings.Split(name, "/"), "..") {
		return "", &Error{name, `is refused: its name holds ".."`}
	}
	return path.Clean(name), nil
}

// checkTarget reports whether a symbolic link at name may point to target. Dots
// are allowed at the target's beginning only: there they start from a real
// directory, so that what the target says is where it leads, also where it
// passes through other links.
func checkTarget(name, target string) error {
	if fault := textFault(target); fault != "" {
		return &Error{name, "is refused: its target " + fault}
	}
	if path.IsAbs(target) {
		return &Error{name, "is refused: it links to the absolute path " + target}
	}
	up, down := 0, false
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == ".." && down:
			return &Error{name, `is refused: its target holds ".." behind a name`}
		case part == "..":
			up++
		case part != "" && part != ".":
			down = true
		}
	}
	if up > strings.Count(name, "/") {
		return &Error{name, "is refused: it links out of the bundle, to " + target}
	}
	return nil
}
