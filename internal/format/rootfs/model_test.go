package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// world is the model that Merge is compared with: layers unpacked one after
// the other, entry by entry, into a flat map. What is slow in it is obvious.
type world map[string]*thing

type thing struct {
	hdr  tar.Header
	body string
}

// play unpacks layers and describes the result as snapshot does.
func play(layers [][]item) (map[string]string, error) {
	w := world{".": implied()}
	for _, items := range layers {
		upper := map[string]bool{}
		for _, it := range items {
			if err := w.unpack(it, upper); err != nil {
				return nil, err
			}
		}
	}
	out := map[string]string{}
	for name, th := range w {
		out[name] = describe(&th.hdr, th.body)
		if names := w.names(th); len(names) > 1 {
			out[name] += fmt.Sprint(" names ", names)
		}
	}
	return out, nil
}

func implied() *thing {
	return &thing{hdr: tar.Header{Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Unix(0, 0)}}
}

func (w world) names(th *thing) (names []string) {
	for name, other := range w {
		if other == th {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (w world) unpack(it item, upper map[string]bool) error {
	name := path.Clean("/" + it.Name)[1:]
	if it.ModTime.IsZero() {
		it.ModTime = time.Unix(1e9, 0)
	}
	if it.Typeflag == tar.TypeSymlink {
		it.Mode = 0o777
	}
	if name == "" {
		w["."] = &thing{hdr: it.Header}
		return nil
	}
	dir, err := w.realDir(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	name = path.Join(dir, base)
	if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
		w.hide(dir, base, hidden, upper)
		return nil
	}
	if err := w.mkdirAll(dir, upper); err != nil {
		return err
	}
	th := &thing{it.Header, it.body}
	if it.Typeflag == tar.TypeLink {
		if th, err = w.target(it.Linkname); err != nil {
			return err
		}
	}
	if old := w[name]; old != nil && old != th && (old.hdr.Typeflag != tar.TypeDir || it.Typeflag != tar.TypeDir) {
		w.removeAll(name)
	}
	w[name] = th
	for ; name != "."; name = path.Dir(name) {
		upper[name] = true
	}
	return nil
}

func (w world) target(name string) (*thing, error) {
	dir, err := w.realDir(path.Dir(path.Clean("/" + name)[1:]))
	if err != nil {
		return nil, err
	}
	th := w[path.Join(dir, path.Base(name))]
	if th == nil || th.hdr.Typeflag == tar.TypeDir {
		return nil, errors.New("no target")
	}
	return th, nil
}

func (w world) hide(dir, base, hidden string, upper map[string]bool) {
	for name := range w {
		in := name == path.Join(dir, hidden) || strings.HasPrefix(name, path.Join(dir, hidden)+"/")
		if base == ".wh..wh..opq" {
			in = name != "." && (dir == "." || strings.HasPrefix(name, dir+"/"))
		}
		if in && !upper[name] {
			delete(w, name)
		}
	}
}

func (w world) removeAll(name string) {
	for other := range w {
		if other == name || strings.HasPrefix(other, name+"/") {
			delete(w, other)
		}
	}
}

func (w world) mkdirAll(dir string, upper map[string]bool) error {
	if dir == "." {
		return nil
	}
	if err := w.mkdirAll(path.Dir(dir), upper); err != nil {
		return err
	}
	if w[dir] == nil || w[dir].hdr.Typeflag != tar.TypeDir {
		w[dir] = implied()
	}
	upper[dir] = true
	return nil
}

// realDir is name without symbolic links.
func (w world) realDir(name string) (string, error) {
	hops := 0
	return w.walk(".", name, &hops)
}

func (w world) walk(from, to string, hops *int) (at string, err error) {
	at = from
	if path.IsAbs(to) {
		at = "."
	}
	for _, element := range strings.Split(to, "/") {
		next := path.Join(at, element) // of "..": of what has no links any more
		if next == ".." {
			next = "."
		}
		if th := w[next]; th != nil && th.hdr.Typeflag == tar.TypeSymlink && element != ".." && element != "." && element != "" {
			if *hops++; *hops > 40 {
				return "", errors.New("loop")
			}
			if next, err = w.walk(at, th.hdr.Linkname, hops); err != nil {
				return "", err
			}
		}
		at = next
	}
	return at, nil
}

// FuzzMerge compares Merge with the model on layers made of a few names.
func FuzzMerge(f *testing.F) {
	f.Add([]byte("a0b1c2d3e4f5"))
	f.Add([]byte("\x00\x10\x01\x20\x02\x33\xff\x00\x04\x41\x13\x52\xff\x01\x02\x60"))
	f.Add([]byte("\x14 \xcc\xfc\f\xc9`\xa9\x02\xb4\x8f\x84\x87\xf0U%\xddV\x86")) // a link to itself, its directory hidden
	f.Add([]byte("020"))                                                         // a symbolic link of another mode than Linux has
	f.Fuzz(func(t *testing.T, data []byte) {
		layers := layersFrom(data)
		want, wantErr := play(layers)
		got, err := snapshot(t, Merge(t.Context(), layersOf(t, layers), Limits{}))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got error %v, the model %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

// layersFrom makes up to four layers, an entry of each three bytes.
func layersFrom(data []byte) [][]item {
	elements := []string{"a", "b", "c", "a/b", "b/a", "a/b/c", ".wh.a", ".wh.b", "a/.wh.b", "a/.wh..wh..opq", ".wh..wh..opq", "b/.wh.a", "./", "c/a", "c/b", "a/b/.wh.c"}
	targets := []string{"a", "b", "c", "a/b", "b/a", "/a", "../b", "..", "a/../c", "/c/../b", ".", "c/b", "a/b/c", "/", "nowhere", "b/.."}
	kinds := []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink}
	layers := [][]item{nil}
	for entry := range slices.Chunk(data, 3) {
		if len(entry) < 3 {
			break
		}
		if entry[0] > 0xe0 && len(layers) < 4 {
			layers = append(layers, nil)
		}
		it := item{Header: tar.Header{Typeflag: kinds[entry[1]%4], Name: elements[entry[0]%16], Mode: int64(entry[1])}}
		target := targets[entry[2]%16]
		switch {
		case it.Name == "./":
			it.Typeflag = tar.TypeDir
		case it.Typeflag == tar.TypeReg:
			it.body = string(entry)
		case it.Typeflag == tar.TypeSymlink:
			it.Linkname = target
		case it.Typeflag == tar.TypeLink && !strings.Contains(target, ".."):
			it.Linkname = target
		case it.Typeflag == tar.TypeLink:
			it.Linkname = "a"
		}
		layers[len(layers)-1] = append(layers[len(layers)-1], it)
	}
	return layers
}
