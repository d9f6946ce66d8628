package ext4

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// node is a file in a model of the tree that a stream makes.
type node struct {
	kind     byte
	content  string // of a symlink, the target
	children map[string]*node
}

func newModel() *node {
	return &node{kind: tar.TypeDir, children: map[string]*node{"lost+found": {kind: tar.TypeDir, children: map[string]*node{}}}}
}

// find follows a clean name and no symlink. It adds directories that are
// missing where add is set.
func (n *node) find(name string, add bool) *node {
	if name == "." {
		return n
	}
	for part := range strings.SplitSeq(name, "/") {
		child := n.children[part]
		if child == nil && add && n.kind == tar.TypeDir {
			child = &node{kind: tar.TypeDir, children: map[string]*node{}}
			n.children[part] = child
		}
		if child == nil {
			return nil
		}
		n = child
	}
	return n
}

// apply does what an entry says and reports whether that can be done.
func (n *node) apply(i item) bool {
	name := filepath.Clean(i.Name)
	if name == "." {
		return i.Typeflag == tar.TypeDir
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == ".." || len(part) > 255 || strings.Contains(part, "\x00") {
			return false
		}
	}
	parent, base := n.find(filepath.Dir(name), true), filepath.Base(name)
	if parent == nil || parent.kind != tar.TypeDir {
		return false
	}
	made := &node{kind: i.Typeflag, content: i.content}
	old := parent.children[base]
	switch i.Typeflag {
	case tar.TypeLink:
		made = n.find(filepath.Clean(i.Linkname), false)
		if made == nil || made.kind == tar.TypeDir && made != old {
			return false
		}
		if made == old {
			return true
		}
	case tar.TypeDir:
		if old != nil && old.kind == tar.TypeDir {
			return true
		}
		made.children = map[string]*node{}
	case tar.TypeSymlink:
		if made.content = i.Linkname; made.content == "" || len(made.content) > 4095 || strings.Contains(made.content, "\x00") {
			return false
		}
	case tar.TypeReg, tar.TypeFifo, tar.TypeChar, tar.TypeBlock:
	default:
		return false
	}
	if old != nil && len(old.children) > 0 {
		return false
	}
	parent.children[base] = made
	return true
}

// wantOnDisk compares with what debugfs takes out of a file system: all but
// devices and fifos.
func (n *node) wantOnDisk(t *testing.T, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return
	}
	switch {
	case n.kind == tar.TypeDir && info.IsDir():
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			if n.children[e.Name()] == nil {
				t.Errorf("%s/%s is not in the model", path, e.Name())
			}
		}
		for name, child := range n.children {
			if strings.ContainsRune("015", rune(child.kind)) || child.kind == tar.TypeSymlink {
				child.wantOnDisk(t, filepath.Join(path, name))
			}
		}
	case n.kind == tar.TypeSymlink && info.Mode()&fs.ModeSymlink != 0:
		if target, err := os.Readlink(path); err != nil || target != n.content {
			t.Errorf("%s leads to %q, %v, want %q", path, target, err, n.content)
		}
	case n.kind == tar.TypeReg && info.Mode().IsRegular():
		if got, err := os.ReadFile(path); err != nil || string(got) != n.content {
			t.Errorf("%s holds %d bytes, %v, want %d", path, len(got), err, len(n.content))
		}
	default:
		t.Errorf("%s is %v, want type %c", path, info.Mode(), n.kind)
	}
}

// play adds entries, as far as the model takes them, and compares.
func play(t *testing.T, items []item) {
	model := newModel()
	path, w := newFile(t, Options{})
	for _, i := range items {
		expected := model.apply(i)
		err := w.Add(&i.Header, strings.NewReader(i.content))
		if (err == nil) != expected {
			t.Fatalf("%c %q -> %q: %v", i.Typeflag, i.Name, i.Linkname, err)
		}
		if err != nil {
			if _, ok := errors.AsType[*EntryError](err); !ok {
				t.Errorf("%c %q: %v is no EntryError", i.Typeflag, i.Name, err)
			}
			return
		}
	}
	finish(t, path, w)
	out := t.TempDir()
	debug(t, path, "rdump / "+out)
	model.wantOnDisk(t, out)
}

// invent makes an entry of what draw returns, a number below n.
func invent(draw func(n int) int) item {
	names := []string{
		"a", "b", "a/a", "a/b", "b/a", "b/b/a", "a/b/a", "lost+found", "lost+found/a", ".", "b/../a", "c/", "c/\xff\xfe", strings.Repeat("n", 255),
		"a/" + strings.Repeat("m", 254), strings.Repeat("l", 256), "..", "/a", "", "x\x00y",
	}
	kinds := []byte{tar.TypeReg, tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeLink, tar.TypeFifo, tar.TypeChar, tar.TypeBlock, 'V'}
	sizes := []int{0, 1, 59, 60, 100, 4095, 4096, 4097, 20000, 300000}
	i := item{Header: tar.Header{
		Typeflag: kinds[draw(len(kinds))], Name: names[draw(len(names))], Linkname: names[draw(len(names))],
		Mode: 0o700, Uid: os.Getuid(), Gid: os.Getgid(), Devmajor: int64(draw(4096)), Devminor: int64(draw(1 << 20)),
	}}
	size := sizes[draw(len(sizes))]
	switch i.Typeflag {
	case tar.TypeReg:
		i.content = strings.Repeat("x", size/2) + strings.Repeat("\x00", size-size/2)
		i.Size = int64(size)
	case tar.TypeSymlink:
		i.Linkname = strings.Repeat("t", size)
	}
	if draw(3) == 0 {
		i = with(i, map[string]string{"user.a": strings.Repeat("v", draw(200)), "trusted.b": strings.Repeat("w", draw(3000))})
	}
	return i
}

// Long streams of entries that replace, link to and lie below each other.
func TestRandomStreams(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 5))
		var items []item
		for range 300 {
			if i := invent(random.IntN); accepted(append(items, i)) {
				items = append(items, i)
			}
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, items) })
	}
}

// accepted reports whether the last of some entries can be added.
func accepted(items []item) (ok bool) {
	model := newModel()
	for _, i := range items {
		ok = model.apply(i)
	}
	return ok
}

// Whatever entries come, the result is what they say, or the first that cannot
// be is refused.
func FuzzAdd(f *testing.F) {
	for seed := range byte(8) {
		data := make([]byte, 400)
		rand.NewChaCha8([32]byte{seed}).Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		draw := func(n int) int {
			if len(data) < 2 {
				return 0
			}
			drawn := (int(data[0])<<8 | int(data[1])) % n
			data = data[2:]
			return drawn
		}
		var items []item
		for len(data) > 0 && len(items) < 100 {
			items = append(items, invent(draw))
		}
		play(t, items)
	})
}
