package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// item is the least that an entry can be.
type item struct {
	Name string `json:"name"`
	Arch string `json:"arch"`
	URL  string `json:"url"`
}

func (i item) Kind() Kind { return "things" }

func (i item) Identity() (name, arch string) { return i.Name, i.Arch }

func (i item) Check(insecure bool) error {
	if err := CheckIdentity("thing", i.Name, "any", i.Arch); err != nil {
		return err
	}
	return Promise{URL: i.URL, SHA256: strings.Repeat("0a", 32), Size: 1}.Check(insecure)
}

func entry(name string) item {
	return item{Name: name, Arch: "x86_64", URL: "https://h.example/" + name + "?a=<1>&b=2"}
}

func encoded(t testing.TB, serial int64, entries ...item) []byte {
	t.Helper()
	data, err := json.MarshalIndent(Catalog[item]{Version: 1, Serial: serial, Entries: entries}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	c, err := Parse[item](encoded(t, 7, entry("a"), entry("b")), false)
	if err != nil || c.Serial != 7 || len(c.Entries) != 2 || c.Entries[0] != entry("a") || c.Entries[1] != entry("b") {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestParseRefuses(t *testing.T) {
	plain := entry("a")
	plain.URL = "http://h.example/x"
	tests := map[string]struct {
		data []byte
		want string
	}{
		"nothing":    {nil, "EOF"},
		"no JSON":    {[]byte("<html>"), "invalid character"},
		"no catalog": {[]byte("[]"), "cannot unmarshal"},
		"trailing":   {append(encoded(t, 0), "{}"...), "something follows it"},
		"huge":       {bytes.Repeat([]byte(" "), MaxSize+1), "more than 4 MiB"},
		"no version": {[]byte(`{"entries":[]}`), "its version is 0"},
		"version":    {[]byte(`{"version":2,"entries":[]}`), "is there a newer banger?"},
		"serial":     {encoded(t, -1), "-1 is no serial"},
		"entry":      {encoded(t, 0, entry("a"), entry("../b")), "entry 2: thing name"},
		"http":       {encoded(t, 0, plain), "only https is fetched"},
		"twice":      {encoded(t, 0, entry("a"), entry("a")), "a for x86_64 is there twice"},
		"order":      {encoded(t, 0, entry("b"), entry("a")), "a is not in its place"},
	}
	for what, test := range tests {
		if _, err := Parse[item](test.data, false); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want ... %s", what, err, test.want)
		}
	}
	if _, err := Parse[item](encoded(t, 0, plain), true); err != nil {
		t.Errorf("insecure: %v", err)
	}
}

func TestFind(t *testing.T) {
	c := &Catalog[item]{Entries: []item{entry("debian-6.1"), entry("generic-6.12")}}
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
	return fmt.Sprintf(`{"arch":"x86_64",   "name":%q,
  "url":"https:\/\/h\/x", "later":{"a":1.50}}`, name)
}

func TestPatchKeepsOtherEntries(t *testing.T) {
	a, c := odd("a"), odd("c")
	data := []byte(`{"serial":4,"version":1,"entries":[` + a + "," + c + "]}")
	e := entry("b")
	patched, err := Patch(data, e)
	if err != nil {
		t.Fatal(err)
	}
	e.URL += "&c=ü"
	if patched, err = Patch(patched, e); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"version\": 1,\n  \"serial\": 6,\n  \"entries\": [\n    " + a + `,
    {
      "name": "b",
      "arch": "x86_64",
      "url": "https://h.example/b?a=<1>&b=2&c=ü"
    },
    ` + c + "\n  ]\n}\n"
	if string(patched) != want {
		t.Errorf("got %s", patched)
	}
	removed, err := Remove[item](patched, "b", "x86_64")
	if want := "{\n  \"version\": 1,\n  \"serial\": 7,\n  \"entries\": [\n    " + a + ",\n    " + c + "\n  ]\n}\n"; err != nil || string(removed) != want {
		t.Errorf("got %s, %v", removed, err)
	}
}

func TestPatchRefuses(t *testing.T) {
	if _, err := Patch(encoded(t, 0), item{}); err == nil {
		t.Error("took a bad entry")
	}
	if _, err := Patch([]byte("{"), entry("a")); err == nil {
		t.Error("took a bad catalog")
	}
	var missing *NotFoundError
	if _, err := Remove[item](encoded(t, 0, entry("a")), "b", "x86_64"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestPatchThenRemoveIsNothing(t *testing.T) {
	empty := []byte("{\n  \"version\": 1,\n  \"entries\": []\n}\n")
	data, err := Patch(empty, entry("a"))
	if err == nil {
		data, err = Remove[item](data, "a", "x86_64")
	}
	if err != nil || !bytes.Equal(data, empty) {
		t.Errorf("got %s, %v", data, err)
	}
}

// What parses is sorted and safe, and can be patched.
func FuzzParse(f *testing.F) {
	f.Add(encoded(f, 1, entry("a"), entry("b")))
	f.Add([]byte(`{"version":1,"entries":[` + odd("a") + `]}`))
	f.Add([]byte(`{"version":1,"entries":null,"Entries":[{}]}`))
	f.Add([]byte(`{"version":1,"entries":[` + odd("a") + `],"Entries":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse[item](data, false)
		if err != nil {
			return
		}
		for _, e := range c.Entries {
			if err := e.Check(false); err != nil {
				t.Error(err)
			}
		}
		patched, err := Patch(data, entry("m"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse[item](patched, false)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := again.Find("m", "x86_64"); err != nil || e != entry("m") {
			t.Errorf("got %+v, %v", e, err)
		}
	})
}
