package kernelcat

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"banger/internal/catalog"
)

func entry(name string) Entry {
	return Entry{
		Name: name, Distro: "generic", Arch: "x86_64", KernelVersion: "6.12.30",
		TarballURL:    "https://kernels.example/" + name + "-x86_64.tar.zst?a=1&b=2",
		TarballSHA256: strings.Repeat("0a", 32), SizeBytes: 123, Description: "fürs <Testen>",
	}
}

func encoded(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	data, err := json.MarshalIndent(catalog.Catalog[Entry]{Version: 1, Entries: entries}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEmbedded(t *testing.T) {
	if _, err := catalog.Parse[Entry](embedded, false); err != nil {
		t.Fatal(err)
	}
	onDisk, err := os.ReadFile("catalog.json")
	if err != nil || !bytes.Equal(onDisk, embedded) {
		t.Errorf("what is built in is not catalog.json: %v", err)
	}
}

func TestParse(t *testing.T) {
	want := []Entry{entry("debian-6.1"), entry("generic-6.12")}
	c, err := catalog.Parse[Entry](encoded(t, want...), false)
	if err != nil || !slices.Equal(c.Entries, want) {
		t.Errorf("got %+v, %v", c, err)
	}
}

// What entries of every kind have is checked by package catalog.
func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		edit func(*Entry)
		want string
	}{
		"name":           {func(e *Entry) { e.Name = "../a" }, "kernel name"},
		"kernel version": {func(e *Entry) { e.KernelVersion = "" }, "not one line of text"},
		"description":    {func(e *Entry) { e.Description = "a\x1b[2J" }, "not one line of text"},
		"bundle":         {func(e *Entry) { e.TarballURL = "http://kernels.example/x" }, "only https is fetched"},
	}
	for what, test := range tests {
		e := entry("a")
		test.edit(&e)
		if _, err := catalog.Parse[Entry](encoded(t, e), false); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want ... %s", what, err, test.want)
		}
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, encoded(t, entry("ours-6.1")), 0o600); err != nil {
		t.Fatal(err)
	}
	builtIn, err := catalog.Parse[Entry](embedded, false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), &catalog.Loader{}, []catalog.Location{{Name: "ours", At: path}})
	if err != nil || len(s.Faults) > 0 || len(s.All()) != len(builtIn.Entries)+1 {
		t.Fatalf("got %+v, %v", s, err)
	}
	if got, err := s.Find("ours-6.1", "x86_64"); err != nil || got.Catalog != "ours" || got.Entry != entry("ours-6.1") {
		t.Errorf("got %+v, %v", got, err)
	}
}

// The text of an entry is what the catalog's users have always read.
func TestFormat(t *testing.T) {
	data, err := catalog.Patch(embedded, entry("z-9.9"))
	if err != nil {
		t.Fatal(err)
	}
	want := `    {
      "name": "z-9.9",
      "distro": "generic",
      "arch": "x86_64",
      "kernel_version": "6.12.30",
      "tarball_url": "https://kernels.example/z-9.9-x86_64.tar.zst?a=1&b=2",
      "tarball_sha256": "` + entry("").TarballSHA256 + `",
      "size_bytes": 123,
      "description": "fürs <Testen>"
    }
  ]
}
`
	if !strings.HasSuffix(string(data), want) {
		t.Errorf("got %s", data)
	}
}

// What parses is safe to use, entry by entry.
func FuzzParse(f *testing.F) {
	f.Add(embedded)
	f.Add(encoded(f, entry("a"), entry("b")))
	f.Add([]byte(`{"version":1,"entries":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := catalog.Parse[Entry](data, false)
		if err != nil {
			return
		}
		for _, e := range c.Entries {
			if err := e.Check(false); err != nil {
				t.Error(err)
			}
		}
	})
}
