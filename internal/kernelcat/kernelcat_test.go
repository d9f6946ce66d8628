package kernelcat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func entry(name string) Entry {
	return Entry{
		Name: name, Distro: "generic", Arch: "x86_64", KernelVersion: "6.12.30",
		TarballURL:    "https://kernels.example/" + name + "-x86_64.tar.zst?a=1&b=2",
		TarballSHA256: strings.Repeat("0a", 32), SizeBytes: 123, Description: "fürs <Testen>",
	}
}

func catalog(t testing.TB, entries ...Entry) []byte {
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
	c, err := Parse(catalog(t, want...))
	if err != nil || len(c.Entries) != 2 || c.Entries[0] != want[0] || c.Entries[1] != want[1] {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestParseRefuses(t *testing.T) {
	change := func(edit func(*Entry)) []byte {
		e := entry("a")
		edit(&e)
		return catalog(t, e)
	}
	tests := map[string]struct {
		data []byte
		want string
	}{
		"nothing":        {nil, "EOF"},
		"no JSON":        {[]byte("<html>"), "invalid character"},
		"no catalog":     {[]byte("[]"), "cannot unmarshal"},
		"trailing":       {append(catalog(t), "{}"...), "something follows it"},
		"no version":     {[]byte(`{"entries":[]}`), "its version is 0"},
		"version":        {[]byte(`{"version":2,"entries":[]}`), "is there a newer banger?"},
		"name":           {change(func(e *Entry) { e.Name = "../a" }), "kernel name"},
		"distro":         {change(func(e *Entry) { e.Distro = "" }), "is no distribution"},
		"arch":           {change(func(e *Entry) { e.Arch = "arm64" }), `the architecture "arm64" is not known`},
		"short digest":   {change(func(e *Entry) { e.TarballSHA256 = "0a" }), "is no SHA-256"},
		"capital digest": {change(func(e *Entry) { e.TarballSHA256 = strings.Repeat("0A", 32) }), "is no SHA-256"},
		"long digest":    {change(func(e *Entry) { e.TarballSHA256 += "\n" }), "is no SHA-256"},
		"size":           {change(func(e *Entry) { e.SizeBytes = 0 }), "is no size"},
		"kernel version": {change(func(e *Entry) { e.KernelVersion = "" }), "not one line of text"},
		"description":    {change(func(e *Entry) { e.Description = "a\x1b[2J" }), "not one line of text"},
		"http":           {change(func(e *Entry) { e.TarballURL = "http://kernels.example/x" }), "is no https URL"},
		"file":           {change(func(e *Entry) { e.TarballURL = "file://h/etc/passwd" }), "is no https URL"},
		"path":           {change(func(e *Entry) { e.TarballURL = "x.tar.zst" }), "is no URL"},
		"twice":          {catalog(t, entry("a"), entry("a")), "a for x86_64 is there twice"},
		"order":          {catalog(t, entry("b"), entry("a")), "a is not in its place"},
	}
	for what, test := range tests {
		if _, err := Parse(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want ... %s", what, err, test.want)
		}
	}
	for _, host := range []string{"127.0.0.1:8080", "localhost", "[::1]:1"} {
		if _, err := Parse(change(func(e *Entry) { e.TarballURL = "http://" + host + "/x" })); err != nil {
			t.Error(err)
		}
	}
}

func TestFind(t *testing.T) {
	c := &Catalog{Entries: []Entry{entry("debian-6.1"), entry("generic-6.12")}}
	if e, err := c.Find("generic-6.12", "x86_64"); err != nil || e != entry("generic-6.12") {
		t.Errorf("got %+v, %v", e, err)
	}
	for _, test := range []struct{ name, arch, nearest string }{
		{"generic-6.21", "x86_64", "generic-6.12"},
		{"generic-6.12", "arm64", ""},
		{"nothing-alike", "x86_64", ""},
	} {
		var missing *NotFoundError
		if _, err := c.Find(test.name, test.arch); !errors.As(err, &missing) || missing.Name != test.name || missing.Nearest != test.nearest {
			t.Errorf("%s: got %+v, %v", test.name, missing, err)
		}
	}
}

// odd is an entry as somebody might write it by hand.
func odd(name string) string {
	return fmt.Sprintf(`{"arch":"x86_64",   "name":%q, "distro":"d", "kernel_version":"1", "tarball_url":"https:\/\/h/x",
  "tarball_sha256":"%s","size_bytes":1, "later":{"a":1.50}}`, name, strings.Repeat("00", 32))
}

func TestPatchKeepsOtherEntries(t *testing.T) {
	a, c := odd("a"), odd("c")
	data := []byte(`{"version":1,"entries":[` + a + "," + c + "]}")
	e := entry("b")
	patched, err := Patch(data, e)
	if err != nil {
		t.Fatal(err)
	}
	e.KernelVersion = "6.12.31"
	if patched, err = Patch(patched, e); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"version\": 1,\n  \"entries\": [\n    " + a + `,
    {
      "name": "b",
      "distro": "generic",
      "arch": "x86_64",
      "kernel_version": "6.12.31",
      "tarball_url": "https://kernels.example/b-x86_64.tar.zst?a=1&b=2",
      "tarball_sha256": "` + e.TarballSHA256 + `",
      "size_bytes": 123,
      "description": "fürs <Testen>"
    },
    ` + c + "\n  ]\n}\n"
	if string(patched) != want {
		t.Errorf("got %s", patched)
	}
	removed, err := Remove(patched, "b", "x86_64")
	if want := "{\n  \"version\": 1,\n  \"entries\": [\n    " + a + ",\n    " + c + "\n  ]\n}\n"; err != nil || string(removed) != want {
		t.Errorf("got %s, %v", removed, err)
	}
}

func TestPatchRefuses(t *testing.T) {
	bad := entry("a")
	bad.SizeBytes = -1
	if _, err := Patch(embedded, bad); err == nil {
		t.Error("took a bad entry")
	}
	if _, err := Patch([]byte("{"), entry("a")); err == nil {
		t.Error("took a bad catalog")
	}
	var missing *NotFoundError
	if _, err := Remove(catalog(t, entry("a")), "b", "x86_64"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestPatchThenRemoveIsNothing(t *testing.T) {
	empty := []byte("{\n  \"version\": 1,\n  \"entries\": []\n}\n")
	data, err := Patch(empty, entry("a"))
	if err == nil {
		data, err = Remove(data, "a", "x86_64")
	}
	if err != nil || !bytes.Equal(data, empty) {
		t.Errorf("got %s, %v", data, err)
	}
}

// What parses is sorted and safe, and can be patched.
func FuzzParse(f *testing.F) {
	f.Add(embedded)
	f.Add(catalog(f, entry("a"), entry("b")))
	f.Add([]byte(`{"version":1,"entries":[` + odd("a") + `]}`))
	f.Add([]byte(`{"version":1,"entries":null,"Entries":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		for _, e := range c.Entries {
			if err := e.Check(); err != nil {
				t.Error(err)
			}
		}
		patched, err := Patch(data, entry("m"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(patched)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := again.Find("m", "x86_64"); err != nil || e != entry("m") {
			t.Errorf("got %+v, %v", e, err)
		}
	})
}
