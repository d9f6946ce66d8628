package rootfs

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Whiteouts, as the OCI image specification (layer.md) has them.
const (
	whiteout   = ".wh."
	opaque     = ".wh..wh..opq"
	aufsPrefix = ".wh..wh." // what AUFS kept for itself
)

// tree is what layers add up to: names, and which entry of which layer each of
// them stands for. Of the files it holds no more than that.
type tree struct {
	root  *node
	layer int32     // the layer being applied
	files [][]*file // by layer and entry; nil is hidden or no file
}

// node is a name. A directory has kids, whatever else a file.
type node struct {
	name   string
	parent *node
	layer  int32 // the newest that holds it or something below it

	meta *tar.Header // of a directory; nil where no layer told
	kids map[string]*node
	file *file
}

// file is an entry that is no directory, with the names that hard links gave
// it.
type file struct {
	layer, entry int32
	target       string // of a symbolic link
	names        []*node
}

func newTree(layers int) *tree {
	return &tree{root: &node{name: ".", kids: map[string]*node{}}, files: make([][]*file, layers)}
}

// apply puts the next entry of the current layer over what is there.
func (t *tree) apply(r record) error {
	entry := len(t.files[t.layer])
	t.files[t.layer] = append(t.files[t.layer], nil)
	if r.name == "." {
		t.root.meta = r.meta
		return nil
	}
	dir, base := split(r.name)
	dir, err := resolve(dir, t.readlinks())
	if err != nil {
		return err
	}
	if strings.HasPrefix(base, whiteout) {
		t.hide(t.find(dir), base)
		return nil
	}
	parent := t.makeDir(dir)
	if r.kind == tar.TypeDir {
		t.putDir(parent, base, r.meta)
		return nil
	}
	f := &file{layer: t.layer, entry: int32(entry)}
	switch r.kind {
	case tar.TypeSymlink:
		f.target = strings.Clone(r.target)
	case tar.TypeLink:
		if f, err = t.linked(r); err != nil {
			return err
		}
	}
	t.putFile(parent, base, f)
	return nil
}

// find returns the node of a resolved name, or nil.
func (t *tree) find(name string) *node {
	n := t.root
	if name == "." {
		return n
	}
	for element := range strings.SplitSeq(name, "/") {
		if n = n.kids[element]; n == nil {
			return nil
		}
	}
	return n
}

// readlinks is what resolve wants for one path. It remembers where it is: names
// can be deep.
func (t *tree) readlinks() func(name string) (string, bool) {
	at, here := ".", t.root // nil is nothing
	return func(name string) (string, bool) {
		dir, base := split(name)
		if dir != at {
			at, here = dir, t.find(dir)
		}
		var n *node
		if here != nil {
			n = here.kids[base]
		}
		if n != nil && n.file != nil && n.file.target != "" {
			return n.file.target, true
		}
		at, here = name, n
		return "", false
	}
}

// makeDir returns the directory of a resolved name and makes those that no
// layer listed, also where there was a file.
func (t *tree) makeDir(name string) *node {
	n := t.root
	if name == "." {
		return n
	}
	for element := range strings.SplitSeq(name, "/") {
		next := n.kids[element]
		if next == nil || next.file != nil {
			next = t.putDir(n, element, nil)
		}
		n = next
	}
	return n
}

// putDir lists a directory: one that is there keeps what is in it.
func (t *tree) putDir(parent *node, base string, meta *tar.Header) *node {
	n := parent.kids[base]
	if n == nil || n.file != nil {
		n = t.put(parent, base)
		n.kids = map[string]*node{}
	}
	if meta != nil {
		n.meta = meta
	}
	t.touch(n)
	return n
}

func (t *tree) putFile(parent *node, base string, f *file) {
	if old := parent.kids[base]; old != nil && old.file == f {
		t.touch(old) // a hard link to itself: listed here, so not hidden here
		return
	}
	n := t.put(parent, base)
	n.file = f
	f.names = append(f.names, n)
	t.files[f.layer][f.entry] = f
	t.touch(n)
}

// put makes a node in the place of whatever was there.
func (t *tree) put(parent *node, base string) *node {
	if old := parent.kids[base]; old != nil {
		t.remove(old)
	}
	n := &node{name: strings.Clone(base), parent: parent}
	parent.kids[n.name] = n
	return n
}

// touch marks n and what is above it as the current layer's.
func (t *tree) touch(n *node) {
	for ; n != nil && n.layer != t.layer; n = n.parent {
		n.layer = t.layer
	}
}

// linked returns the file that a hard link is to.
func (t *tree) linked(r record) (*file, error) {
	dir, base := split(r.target)
	dir, err := resolve(dir, t.readlinks())
	if err != nil {
		return nil, err
	}
	n := t.find(join(dir, base))
	if n == nil || n.file == nil {
		return nil, fmt.Errorf("hard link %s: there is no file %s", quote(r.name), quote(r.target))
	}
	return n.file, nil
}

// hide applies a whiteout in dir, which may be nil. It hides what came from
// the layers below and nothing of its own layer.
func (t *tree) hide(dir *node, base string) {
	if dir == nil || dir.kids == nil {
		return
	}
	if base == opaque {
		t.hideBelow(dir)
		return
	}
	if strings.HasPrefix(base, aufsPrefix) {
		return
	}
	n := dir.kids[strings.TrimPrefix(base, whiteout)]
	switch {
	case n == nil:
	case n.layer != t.layer:
		t.remove(n)
	default:
		t.hideBelow(n)
	}
}

func (t *tree) hideBelow(dir *node) {
	for _, n := range dir.kids {
		if n.layer != t.layer {
			t.remove(n)
		} else {
			t.hideBelow(n)
		}
	}
}

// remove takes a name away, with everything below it. A file goes with its
// last name.
func (t *tree) remove(n *node) {
	delete(n.parent.kids, n.name)
	for _, kid := range n.kids {
		t.remove(kid)
	}
	f := n.file
	if f == nil {
		return
	}
	f.names = slices.DeleteFunc(f.names, func(name *node) bool { return name == n })
	if len(f.names) == 0 {
		t.files[f.layer][f.entry] = nil
	}
}

// dropAUFS takes away what AUFS kept for itself: directories with the files that
// have several names, and those only need.
func (t *tree) dropAUFS() {
	for name, n := range t.root.kids {
		if strings.HasPrefix(name, aufsPrefix) {
			t.remove(n)
		}
	}
}

func (n *node) path() string {
	if n.parent == nil {
		return "."
	}
	var elements []string
	for ; n.parent != nil; n = n.parent {
		elements = append(elements, n.name)
	}
	slices.Reverse(elements)
	return strings.Join(elements, "/")
}

// yieldDirs yields n and the directories below it, the upper ones first. After
// that nothing is looked up any more: directories forget what is in them, so
// that the memory for a file is free once it was yielded.
func (n *node) yieldDirs(yield func(*tar.Header, io.Reader) error) error {
	hdr := &tar.Header{Mode: 0o755, ModTime: time.Unix(0, 0)}
	if n.meta != nil {
		hdr = n.meta
	}
	hdr.Typeflag, hdr.Name = tar.TypeDir, n.path()
	if err := yield(hdr, noContent); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(n.kids)) {
		if kid := n.kids[name]; kid.kids != nil {
			if err := kid.yieldDirs(yield); err != nil {
				return err
			}
		}
	}
	n.kids, n.meta = nil, nil
	return nil
}
