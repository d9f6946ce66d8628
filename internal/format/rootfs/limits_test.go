package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The limits hold for all layers together, and are not the content's only.
func TestLimits(t *testing.T) {
	layer := func(items ...item) Layer {
		data := makeTar(t, items...)
		return Layer{Name: "l", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
	}
	one, empty := layer(aFile("a", "x"), aFile("b", "x")), layer()
	for _, c := range []struct {
		layers []Layer
		limits Limits
		what   string // "" for none
	}{
		{[]Layer{one, one}, Limits{Entries: 4, Bytes: 8192, Layers: 2}, ""},
		{[]Layer{one, one}, Limits{}, ""},
		{[]Layer{one, one}, Limits{Entries: 3}, "entries"},
		{[]Layer{one, one}, Limits{Bytes: 5000}, "bytes"},
		{[]Layer{empty, empty, empty}, Limits{Layers: 2}, "layers"},
		{[]Layer{layer(aLink(tar.TypeSymlink, "l", strings.Repeat("t", 200)))}, Limits{Entries: 2}, kept},
	} {
		_, err := listing(Merge(context.Background(), c.layers, c.limits))
		limit, _ := errors.AsType[*LimitError](err)
		if (limit == nil) != (c.what == "") || limit != nil && limit.What != c.what || limit == nil && err != nil {
			t.Errorf("%+v: %v, want %q", c.limits, err, c.what)
		}
	}
}

// Of a directory's records only what a file system has is kept until the end.
func TestMergeKeepsAttributesOnly(t *testing.T) {
	dir := aDir("d")
	dir.PAXRecords = map[string]string{"comment": strings.Repeat("x", 1000), "SCHILY.xattr.user.a": "b"}
	var got map[string]string
	err := Merge(context.Background(), layersOf(t, [][]item{{dir}}), Limits{})(func(h *tar.Header, _ io.Reader) error {
		if h.Name == "d" {
			got = h.PAXRecords
		}
		return nil
	})
	if d := cmp.Diff(map[string]string{"SCHILY.xattr.user.a": "b"}, got); err != nil || d != "" {
		t.Error(err, d)
	}
}

// BenchmarkMergeDeep is of names as deep as they may be.
func BenchmarkMergeDeep(b *testing.B) {
	var items []item
	deep := strings.Repeat("d/", maxDepth-1)
	for _, n := range "abcdefghijklmnopqrst" {
		for _, m := range "abcdefghijklmnopqrst" {
			items = append(items, aFile(deep+string(n)+string(m), ""))
		}
	}
	layers := layersOf(b, [][]item{items})
	for b.Loop() {
		if _, err := listing(Merge(context.Background(), layers, Limits{})); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(items)), "µs/entry")
}
