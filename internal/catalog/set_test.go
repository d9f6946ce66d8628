package catalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	ours, plain := entry("generic-6.12"), entry("ours-6.1")
	ours.URL, plain.URL = "https://ours.example/x", "http://ours.example/y"
	if err := os.WriteFile(path, encoded(t, 0, ours, plain), 0o600); err != nil {
		t.Fatal(err)
	}
	at := []Location{
		{Name: "gone", At: "/nowhere/c.json"},
		{Name: "lab", At: path, Insecure: true},
		{Name: "strict", At: path},
	}
	s, err := Open[item](t.Context(), testLoader(t), at, encoded(t, 0, entry("debian-6.1"), entry("generic-6.12")))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Faults) != 2 || !strings.Contains(s.Faults[0].Error(), `catalog "gone"`) || !strings.Contains(s.Faults[1].Error(), "only https") {
		t.Errorf("faults: %v", s.Faults)
	}
	want := []Offer[item]{
		{ours, "lab", true},
		{plain, "lab", true},
		{entry("debian-6.1"), BuiltIn, false},
	}
	if got := s.All(); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	for _, w := range want {
		if got, err := s.Find(w.Entry.Name, w.Entry.Arch); err != nil || got != w {
			t.Errorf("%s: got %+v, %v", w.Entry.Name, got, err)
		}
	}
	for name, nearest := range map[string]string{"ours-6.2": "ours-6.1", "debian-6.2": "debian-6.1", "x": ""} {
		var missing *NotFoundError
		if _, err := s.Find(name, "x86_64"); !errors.As(err, &missing) || missing.Name != name || missing.Nearest != nearest {
			t.Errorf("%s: got %+v", name, missing)
		}
	}
}

func TestOpenEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	at := []Location{{Name: "a", At: "http://127.0.0.1:1/c.json", Insecure: true}}
	if _, err := Open[item](ctx, testLoader(t), at, encoded(t, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRefreshKeepsApart(t *testing.T) {
	l, s, at, private, _ := fill(t)
	s.put(encoded(t, 6, entry("b")), private)
	c, err := Refresh[item](t.Context(), l, at)
	if err != nil || c.Serial != 6 || !slices.Equal(c.Entries, []item{entry("b")}) {
		t.Errorf("got %+v, %v", c, err)
	}
}
