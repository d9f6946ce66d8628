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

// artifact is where an entry's bundle may be too.
var artifact = "oci://kernels.example/a@sha256:" + strings.Repeat("0b", 32)

func encoded(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	data, err := json.MarshalIndent(Catalog{Version: 1, Entries: entries}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEmbedded(t *testing.T) {
	if _, err := Embedded(); err != nil {
		t.Fatal(err)
	}
	onDisk, err := os.ReadFile("catalog.json")
	if err != nil || !bytes.Equal(onDisk, embedded) {
		t.Errorf("what is built in is not catalog.json: %v", err)
	}
}

func TestParse(t *testing.T) {
	want := []Entry{entry("debian-6.1"), entry("generic-6.12")}
	c, err := Parse(encoded(t, want...), false)
	if err != nil || !slices.Equal(c.Entries, want) {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		edit func(*Entry)
		want string
	}{
		"name":           {func(e *Entry) { e.Name = "../a" }, "kernel name"},
		"distro":         {func(e *Entry) { e.Distro = "" }, "is no distribution"},
		"arch":           {func(e *Entry) { e.Arch = "arm64" }, `the architecture "arm64" is not known`},
		"short digest":   {func(e *Entry) { e.TarballSHA256 = "0a" }, "is no SHA-256"},
		"capital digest": {func(e *Entry) { e.TarballSHA256 = strings.Repeat("0A", 32) }, "is no SHA-256"},
		"long digest":    {func(e *Entry) { e.TarballSHA256 += "\n" }, "is no SHA-256"},
		"size":           {func(e *Entry) { e.SizeBytes = 0 }, "is no size"},
		"kernel version": {func(e *Entry) { e.KernelVersion = "" }, "not one line of text"},
		"description":    {func(e *Entry) { e.Description = "a\x1b[2J" }, "not one line of text"},
		"http":           {func(e *Entry) { e.TarballURL = "http://kernels.example/x" }, "only https is fetched"},
		"file":           {func(e *Entry) { e.TarballURL = "file://h/etc/passwd" }, "is no https URL"},
		"no digest":      {func(e *Entry) { e.TarballURL = "oci://kernels.example/a:v1" }, "is no reference by digest"},
		"no registry's":  {func(e *Entry) { e.CosignKey = "x" }, "is in none"},
		"no key":         {func(e *Entry) { e.TarballURL, e.CosignKey = artifact, "x" }, "cosign_key: it is no public key"},
		"path":           {func(e *Entry) { e.TarballURL = "x.tar.zst" }, "is no https URL"},
	}
	for what, test := range tests {
		e := entry("a")
		test.edit(&e)
		if _, err := Parse(encoded(t, e), false); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want ... %s", what, err, test.want)
		}
	}
	plain := entry("a")
	plain.TarballURL = artifact
	if _, err := Parse(encoded(t, plain), false); err != nil {
		t.Error(err)
	}
	for _, host := range []string{"127.0.0.1:8080", "localhost", "[::1]:1"} {
		plain.TarballURL = "http://" + host + "/x"
		if _, err := Parse(encoded(t, plain), false); err != nil {
			t.Error(err)
		}
	}
	plain.TarballURL = "http://kernels.example/x"
	if _, err := Parse(encoded(t, plain), true); err != nil {
		t.Errorf("insecure: %v", err)
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, encoded(t, entry("ours-6.1")), 0o600); err != nil {
		t.Fatal(err)
	}
	builtIn, err := Embedded()
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
		c, err := Parse(data, false)
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
