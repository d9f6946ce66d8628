package rootfs

import (
	"fmt"
	"path"
	"strings"
)

// maxName is the longest element of a name that Linux file systems hold.
const maxName = 255

const (
	// maxPath is the longest path that Linux takes, without its end.
	maxPath = 4095
	// maxDepth is how many elements a name may have. What is looked up grows
	// with the square of it.
	maxDepth = 256
)

// maxHops is how many symbolic links the kernel follows in one path.
const maxHops = 40

// cleanName makes an entry's name, or the target of a hard link, relative and
// clean, or says what is wrong with it. An absolute one is below the root, as for
// GNU tar.
func cleanName(name string) (cleaned, fault string) {
	if name == "" {
		return "", "is empty"
	}
	cleaned = path.Clean(strings.TrimLeft(name, "/"))
	if fault = tooLong(cleaned); fault != "" {
		return "", fault
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case element == "..":
			return "", `has ".." in it`
		case len(element) > maxName:
			return "", fmt.Sprintf("has an element of %d bytes, %d are possible", len(element), maxName)
		}
	}
	return cleaned, ""
}

// tooLong says which limit a clean name breaks, if any.
func tooLong(name string) string {
	if len(name) > maxPath {
		return fmt.Sprintf("has %d bytes, %d are possible", len(name), maxPath)
	}
	if depth := strings.Count(name, "/") + 1; depth > maxDepth {
		return fmt.Sprintf("is %d levels deep, %d are possible", depth, maxDepth)
	}
	return ""
}

// quote quotes a name for an error, shortened where nobody would read it all.
func quote(name string) string {
	const most = 100
	if len(name) > most {
		name = name[:most] + "..."
	}
	return fmt.Sprintf("%q", name)
}

// resolve follows the symbolic links in a clean name, all of it, inside the
// root: an absolute target begins at the root, and ".." ends there. What does
// not exist is taken as it is. readlink tells the target of a name that is a
// symbolic link.
func resolve(name string, readlink func(string) (string, bool)) (string, error) {
	done, rest, hops := ".", name, 0
	for rest != "" {
		var element string
		element, rest, _ = strings.Cut(rest, "/")
		switch element {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		next := join(done, element)
		target, isLink := readlink(next)
		if !isLink {
			if fault := tooLong(next); fault != "" {
				return "", fmt.Errorf("%s, its links followed, %s", quote(name), fault)
			}
			done = next
			continue
		}
		if hops++; hops > maxHops {
			return "", fmt.Errorf("%s goes through too many symbolic links", quote(name))
		}
		if strings.HasPrefix(target, "/") {
			done = "."
		}
		rest = target + "/" + rest
	}
	return done, nil
}
