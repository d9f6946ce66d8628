package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func lookTar(t *testing.T) func(args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs GNU tar")
	}
	return func(args ...string) []byte {
		out, err := exec.Command("tar", args...).Output()
		if err != nil {
			t.Fatalf("tar %q: %v", args, err)
		}
		return out
	}
}

func layersOf(t testing.TB, layers [][]item) []Layer {
	var list []Layer
	for i, items := range layers {
		data := compressed(t, makeTar(t, items...), []string{"plain", "gzip", "zstd"}[i%3])
		list = append(list, Layer{Name: fmt.Sprint(i), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		}})
	}
	return list
}

// snapshot describes every name of a stream: type, metadata, content, and the
// other names of the same file.
func snapshot(t testing.TB, s Stream) (map[string]string, error) {
	t.Helper()
	what, same := map[string]string{}, map[string][]string{}
	err := s(func(hdr *tar.Header, content io.Reader) error {
		body, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		if _, twice := what[hdr.Name]; twice {
			t.Errorf("%s comes twice", hdr.Name)
		}
		if dir, _ := split(hdr.Name); what[dir] == "" && hdr.Name != "." || what[dir] != "" && what[dir][0] != tar.TypeDir {
			t.Errorf("%s comes before its directory", hdr.Name)
		}
		if hdr.Typeflag == tar.TypeLink {
			if what[hdr.Linkname] == "" {
				t.Errorf("%s comes before its target", hdr.Name)
			}
			what[hdr.Name] = what[hdr.Linkname]
			same[hdr.Linkname] = append(same[hdr.Linkname], hdr.Name)
			return nil
		}
		same[hdr.Name] = []string{hdr.Name}
		what[hdr.Name] = describe(hdr, string(body))
		return nil
	})
	for _, names := range same {
		slices.Sort(names)
		for _, name := range names {
			if len(names) > 1 {
				what[name] += fmt.Sprint(" names ", names)
			}
		}
	}
	return what, err
}

func describe(hdr *tar.Header, body string) string {
	text := fmt.Sprintf("%c %o %d:%d %d", hdr.Typeflag, hdr.Mode, hdr.Uid, hdr.Gid, hdr.ModTime.UnixNano())
	switch hdr.Typeflag {
	case tar.TypeReg:
		text += fmt.Sprintf(" %q", body)
	case tar.TypeSymlink:
		text += " -> " + hdr.Linkname
	case tar.TypeChar, tar.TypeBlock:
		text += fmt.Sprintf(" %d,%d", hdr.Devmajor, hdr.Devminor)
	}
	for _, key := range slices.Sorted(maps.Keys(hdr.PAXRecords)) {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			text += fmt.Sprintf(" %s=%q", name, hdr.PAXRecords[key])
		}
	}
	return text
}

// names gives a snapshot in short: type and content by name.
func short(s map[string]string) map[string]string {
	out := map[string]string{}
	for name, what := range s {
		fields := strings.Fields(what)
		out[name] = strings.Join(append(fields[:1], fields[4:]...), " ")
	}
	delete(out, ".")
	return out
}

func TestMerge(t *testing.T) {
	hard, sym := byte(tar.TypeLink), byte(tar.TypeSymlink)
	base := []item{aDir("d/"), aFile("d/a", "a0"), aFile("d/b", "b0"), aLink(hard, "d/a2", "d/a"), aDir("d/sub"), aFile("d/sub/x", "x0")}
	d := "5"
	for _, c := range []struct {
		what   string
		layers [][]item
		want   map[string]string
	}{
		{"one layer", [][]item{base},
			map[string]string{"d": d, "d/a": `0 "a0" names [d/a d/a2]`, "d/a2": `0 "a0" names [d/a d/a2]`, "d/b": `0 "b0"`, "d/sub": d, "d/sub/x": `0 "x0"`}},
		{"an empty layer", [][]item{base[:2], {}}, map[string]string{"d": d, "d/a": `0 "a0"`}},
		{"a whiteout", [][]item{base, {aFile("d/.wh.b", ""), aFile("d/.wh.sub", "")}},
			map[string]string{"d": d, "d/a": `0 "a0" names [d/a d/a2]`, "d/a2": `0 "a0" names [d/a d/a2]`}},
		{"a whiteout of a hard-linked file's first name", [][]item{base, {aFile("d/.wh.a", ""), aFile("d/.wh.sub", "")}},
			map[string]string{"d": d, "d/a2": `0 "a0"`, "d/b": `0 "b0"`}},
		{"an opaque directory", [][]item{base, {aDir("d"), aFile("d/.wh..wh..opq", ""), aFile("d/new", "1")}},
			map[string]string{"d": d, "d/new": `0 "1"`}},
		{"an opaque mark after its layer's files", [][]item{base, {aFile("d/sub/new", "1"), aFile("d/.wh..wh..opq", "")}},
			map[string]string{"d": d, "d/sub": d, "d/sub/new": `0 "1"`}},
		{"a whiteout after its layer's file", [][]item{base, {aFile("d/sub/new", "1"), aFile("d/.wh.sub", ""), aFile("d/.wh..wh..opq", "")}},
			map[string]string{"d": d, "d/sub": d, "d/sub/new": `0 "1"`}},
		{"a whiteout, then the same name", [][]item{base, {aFile("d/.wh.sub", ""), aFile("d/sub", "file"), aFile("d/.wh..wh..opq", "")}},
			map[string]string{"d": d, "d/sub": `0 "file"`}},
		{"whiteouts of what is not there", [][]item{base[:1], {aFile(".wh.no", ""), aFile("no/where/.wh.x", ""), aFile("no/.wh..wh..opq", ""), aFile("d/.wh..wh.plnk", "")}},
			map[string]string{"d": d}},
		{"whiteouts in the base", [][]item{{aFile("a", "1"), aFile(".wh.a", ""), aFile(".wh..wh..opq", "")}},
			map[string]string{"a": `0 "1"`}},
		{"a file replaced: other names keep the old one", [][]item{base[:4], {aFile("d/a", "a1")}},
			map[string]string{"d": d, "d/a": `0 "a1"`, "d/a2": `0 "a0"`, "d/b": `0 "b0"`}},
		{"a hard link to a lower layer's file", [][]item{base[:2], {aLink(hard, "e/l", "d/a")}},
			map[string]string{"d": d, "e": d, "d/a": `0 "a0" names [d/a e/l]`, "e/l": `0 "a0" names [d/a e/l]`}},
		{"a hard link whose target is then hidden", [][]item{base[:2], {aLink(hard, "e", "d/a")}, {aFile(".wh.d", "")}},
			map[string]string{"e": `0 "a0"`}},
		{"a hard link to what was replaced in the same layer", [][]item{base[:2], {aFile("d/a", "a1"), aLink(hard, "e", "d/a")}},
			map[string]string{"d": d, "d/a": `0 "a1" names [d/a e]`, "e": `0 "a1" names [d/a e]`}},
		{"a hard link to itself", [][]item{base[:2], {aLink(hard, "d/a", "d/a")}},
			map[string]string{"d": d, "d/a": `0 "a0"`}},
		{"a hard link to itself outlives its layer's whiteout", [][]item{base[:3], {aLink(hard, "d/a", "d/a"), aFile(".wh.d", "")}},
			map[string]string{"d": d, "d/a": `0 "a0"`}},
		{"a directory becomes a file", [][]item{base, {aFile("d", "f")}}, map[string]string{"d": `0 "f"`}},
		{"a file becomes a directory", [][]item{{aFile("a", "1")}, {aDir("a"), aFile("a/b", "2")}},
			map[string]string{"a": d, "a/b": `0 "2"`}},
		{"a directory becomes a link and back", [][]item{base, {aLink(sym, "d", "/x")}, {aDir("d"), aFile("d/n", "1")}},
			map[string]string{"d": d, "d/n": `0 "1"`}},
		{"a path through a link", [][]item{{aDir("usr/lib"), aLink(sym, "lib", "usr/lib")}, {aFile("lib/x", "1"), aLink(hard, "y", "lib/x")}, {aFile("lib/.wh.x", "")}},
			map[string]string{"usr": d, "usr/lib": d, "lib": "2 -> usr/lib", "y": `0 "1"`}},
		{"a path through a dangling link out of the root", [][]item{{aLink(sym, "l", "../../o")}, {aFile("l/x", "1")}},
			map[string]string{"l": "2 -> ../../o", "o": d, "o/x": `0 "1"`}},
		{"a link is no directory to merge with", [][]item{{aDir("usr/lib"), aLink(sym, "lib", "usr/lib")}, {aDir("lib"), aFile("lib/x", "1")}},
			map[string]string{"usr": d, "usr/lib": d, "lib": d, "lib/x": `0 "1"`}},
		{"absolute names", [][]item{{aFile("/ko-app/x", "1")}}, map[string]string{"ko-app": d, "ko-app/x": `0 "1"`}},
		{"twice in a layer", [][]item{{aFile("a", "1"), aFile("a", "2")}}, map[string]string{"a": `0 "2"`}},
		{"a file becomes a directory that no layer lists", [][]item{{aFile("a", "1"), aLink(hard, "l", "a")}, {aFile("a/b/c", "2")}},
			map[string]string{"a": d, "a/b": d, "a/b/c": `0 "2"`, "l": `0 "1"`}},
		{"a hard link in place of what held its target", [][]item{{aFile("a/b", "1")}, {aLink(hard, "a", "a/b")}},
			map[string]string{"a": `0 "1"`}},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, err := snapshot(t, Merge(t.Context(), layersOf(t, c.layers), Limits{}))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, short(got)); d != "" {
				t.Error(d)
			}
			model, err := play(c.layers)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(model, got); d != "" {
				t.Error("the model differs:", d)
			}
		})
	}
}

// Images from AUFS have its own directories, with the files that several names
// lead to.
func TestMergeOfAUFS(t *testing.T) {
	got, err := snapshot(t, Merge(t.Context(), layersOf(t, [][]item{
		{aFile(".wh..wh.aufs", ""), aDir(".wh..wh.orph"), aDir(".wh..wh.plnk"), aFile(".wh..wh.plnk/90.7", "1"), aFile(".wh..wh.plnk/91.7", "2"),
			aLink(tar.TypeLink, "bin/a", ".wh..wh.plnk/90.7"), aLink(tar.TypeLink, "bin/b", ".wh..wh.plnk/90.7")},
		{aFile(".wh..wh.plnk/5.7", "3"), aLink(tar.TypeLink, "c", ".wh..wh.plnk/5.7")},
	}), Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	both := `0 "1" names [bin/a bin/b]`
	if d := cmp.Diff(map[string]string{"bin": "5", "bin/a": both, "bin/b": both, "c": `0 "3"`}, short(got)); d != "" {
		t.Error(d)
	}
}

func TestMergeRelistedDirectory(t *testing.T) {
	upper := aDir("d")
	upper.Mode, upper.Uid, upper.ModTime = 0o1777, 7, time.Unix(5, 0)
	upper.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "1"}
	got, err := snapshot(t, Merge(t.Context(), layersOf(t, [][]item{{aDir("d"), aFile("d/a", "1")}, {upper}}), Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	if want := `5 1777 7:0 5000000000 user.x="1"`; got["d"] != want || got["d/a"] == "" {
		t.Errorf("got %q, want d to be %q", got, want)
	}
}

func TestMergeRefuses(t *testing.T) {
	for _, c := range []struct {
		what   string
		layers [][]item
		want   string
	}{
		{"dots", [][]item{{}, {aFile("a/../../b", "")}}, `layer 1: entry "a/../../b": the name has ".." in it`},
		{"link to nothing", [][]item{{aLink(tar.TypeLink, "a", "b")}}, `layer 0: hard link "a": there is no file "b"`},
		{"link to a directory", [][]item{{aDir("b"), aLink(tar.TypeLink, "a", "b")}}, `there is no file "b"`},
		{"loop", [][]item{{aLink(tar.TypeSymlink, "a", "a"), aFile("a/b", "")}}, "too many symbolic links"},
	} {
		_, err := snapshot(t, Merge(t.Context(), layersOf(t, c.layers), Limits{}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
	}
}

func TestMergeNamesTheLayer(t *testing.T) {
	good := layersOf(t, [][]item{{aFile("a", "1")}, {aFile("b", "1")}})
	for what, open := range map[string]func() (io.ReadCloser, error){
		"no tar":    func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("hello")), nil },
		"not there": func() (io.ReadCloser, error) { return nil, errors.New("no such blob") },
	} {
		bad := append(slices.Clone(good), Layer{Name: "third", Open: open})
		if _, err := snapshot(t, Merge(t.Context(), bad, Limits{})); err == nil || !strings.HasPrefix(err.Error(), "layer third: ") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func TestMergeHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	layers := layersOf(t, [][]item{{aFile("a", "1")}, {aFile("b", "2")}})
	if _, err := snapshot(t, Merge(ctx, layers, Limits{})); err != nil {
		t.Fatal(err)
	}
	err := Merge(ctx, layers, Limits{})(func(hdr *tar.Header, _ io.Reader) error {
		if hdr.Name == "a" {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while writing: %v", err)
	}
	if _, err := snapshot(t, Merge(ctx, layers, Limits{})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

// More layers than are scanned at once, and more entries than fit into what
// is sent at once.
func TestMergeManyLayers(t *testing.T) {
	var layers [][]item
	for i := range 12 {
		var items []item
		for j := range batch + 100 {
			items = append(items, aFile(fmt.Sprintf("d%d/f%d", j%7, j), fmt.Sprint(i)))
		}
		layers = append(layers, append(items, aFile(fmt.Sprintf("l%d", i), "")))
	}
	got, err := snapshot(t, Merge(t.Context(), layersOf(t, layers), Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	model, err := play(layers)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(model, got); d != "" {
		t.Error(d)
	}
}
