package ext4

import (
	"archive/tar"
	"fmt"
	"path"
	"strings"
)

func newDirectory(parent uint32, permissions uint16) inode {
	return inode{mode: modeDir | permissions, links: 2, parent: parent}
}

// parentOf returns the directory that name is to be in, and checks name.
func (w *Writer) parentOf(name string) (uint32, error) {
	dir := uint32(rootInode)
	for done := 0; ; {
		part, _, below := strings.Cut(name[done:], "/")
		if why := nameFault(part); why != "" {
			return 0, &EntryError{name, why}
		}
		if !below {
			return dir, nil
		}
		done += len(part)
		child := w.names.get(dir, part)
		if child == 0 {
			var err error
			if child, err = w.add(dir, part, newDirectory(dir, 0o755)); err != nil {
				return 0, err
			}
		} else if !w.inodes.at(child).isDir() {
			return 0, &EntryError{name, fmt.Sprintf("lies below %q, which is no directory", name[:done])}
		}
		dir = child
		done++
	}
}

func nameFault(part string) string {
	switch {
	case part == "", part == "..", strings.Contains(part, "\x00"):
		return "has an unusable name"
	case len(part) > maxName:
		return fmt.Sprintf("has a name of more than %d bytes", maxName)
	}
	return ""
}

// lookup returns the inode called name, or 0.
func (w *Writer) lookup(name string) uint32 {
	number := uint32(rootInode)
	for part := range strings.SplitSeq(name, "/") {
		if number = w.names.get(number, part); number == 0 {
			return 0
		}
	}
	return number
}

// giveWay makes room for an entry that replaces another.
func (w *Writer) giveWay(parent uint32, base string, h *tar.Header) error {
	old := w.names.get(parent, base)
	if old == 0 {
		return nil
	}
	if w.inodes.at(old).children > 0 {
		return &EntryError{h.Name, "replaces a directory that is not empty"}
	}
	return w.remove(parent, base, old)
}

// link adds another name for a file that is there already.
func (w *Writer) link(parent uint32, base string, h *tar.Header) error {
	target := w.lookup(path.Clean(h.Linkname))
	if target == 0 {
		return &EntryError{h.Name, fmt.Sprintf("links to %q, which is not there", h.Linkname)}
	}
	if w.names.get(parent, base) == target {
		return nil // a link to itself
	}
	n := w.inodes.at(target)
	switch {
	case n.isDir():
		return &EntryError{h.Name, fmt.Sprintf("links to %q, which is a directory", h.Linkname)}
	}
	if err := w.giveWay(parent, base, h); err != nil {
		return err
	}
	if n.links >= maxLinks {
		return w.linkCopy(parent, base, target)
	}
	n.links++
	w.inodes.at(parent).children++
	return w.names.set(parent, base, target)
}

// add appends an inode and enters it into a directory.
func (w *Writer) add(parent uint32, base string, n inode) (uint32, error) {
	number := w.inodes.add(n)
	dir := w.inodes.at(parent)
	dir.children++
	if n.isDir() {
		dir.links++
	}
	return number, w.names.set(parent, base, number)
}

// remove takes a name away, and what it named where that was its last.
func (w *Writer) remove(parent uint32, base string, number uint32) error {
	n, dir := w.inodes.at(number), w.inodes.at(parent)
	dir.children--
	if n.isDir() {
		dir.links--
		n.links = 1
	}
	if n.links--; n.links == 0 {
		was := space{n.first}
		was.each(n.blocks, func(r run) { w.freed = append(w.freed, r) })
		*n = inode{}
	}
	return w.names.set(parent, base, 0)
}
