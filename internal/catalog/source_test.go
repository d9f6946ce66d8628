package catalog

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckSources(t *testing.T) {
	key, _ := keys(t)
	const url = "https://c.example/k.json"
	tests := map[string]struct {
		sources []Source
		want    string // in the error, "" for none
	}{
		"none":       {nil, ""},
		"signed":     {[]Source{{Name: "a", Kernels: url, Images: "https://c.example/i.json", PublicKey: key}}, ""},
		"path":       {[]Source{{Name: "a", Images: "/srv/i.json"}}, ""},
		"insecure":   {[]Source{{Name: "a", Kernels: "http://c.example/k.json", Insecure: true}}, ""},
		"loopback":   {[]Source{{Name: "a", Kernels: "http://127.0.0.1:1/k.json", PublicKey: key}}, ""},
		"name":       {[]Source{{Name: "A", Kernels: url, PublicKey: key}}, "catalog name"},
		"nothing":    {[]Source{{Name: "a"}}, "neither kernels nor images"},
		"twice":      {[]Source{{Name: "a", Kernels: "/k"}, {Name: "a", Kernels: "/l"}}, `two catalogs called "a"`},
		"built-in":   {[]Source{{Name: BuiltIn, Kernels: "/k"}}, "two catalogs"},
		"unsigned":   {[]Source{{Name: "a", Kernels: url}}, "needs the minisign public_key"},
		"plain http": {[]Source{{Name: "a", Kernels: "http://c.example/k.json", PublicKey: key}}, "only https"},
		"relative":   {[]Source{{Name: "a", Kernels: "k.json"}}, "neither a URL nor an absolute path"},
		"ftp":        {[]Source{{Name: "a", Kernels: "ftp://c.example/k.json", PublicKey: key}}, "is no https URL"},
		"bad key":    {[]Source{{Name: "a", Kernels: url, PublicKey: "RWQ"}}, `"RWQ" is no minisign public key`},
		"bad images": {[]Source{{Name: "a", Kernels: url, Images: "i.json", PublicKey: key}}, "neither a URL"},
	}
	for what, test := range tests {
		err := CheckSources(test.sources)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want ... %s", what, err, test.want)
		}
	}
}

func TestLocations(t *testing.T) {
	sources := []Source{
		{Name: "both", Kernels: "https://c.example/k.json", Images: "https://c.example/i.json", PublicKey: "key"},
		{Name: "kernels", Kernels: "/srv/k.json"},
		{Name: "images", Images: "http://lab.example/i.json", Insecure: true},
	}
	here, err := filepath.Abs("k.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		kind     Kind
		override string
		want     []Location
	}{
		{Kernels, "", []Location{
			{Name: "both", At: "https://c.example/k.json", PublicKey: "key"},
			{Name: "kernels", At: "/srv/k.json"},
		}},
		{Images, "", []Location{
			{Name: "both", At: "https://c.example/i.json", PublicKey: "key"},
			{Name: "images", At: "http://lab.example/i.json", Insecure: true},
		}},
		{Kernels, "k.json, https://other.example/k.json,https://c.example/k.json,", []Location{
			{Name: here, At: here},
			{Name: "https://other.example/k.json", At: "https://other.example/k.json"},
			{Name: "both", At: "https://c.example/k.json", PublicKey: "key"},
		}},
	}
	for _, test := range tests {
		if got := Locations(test.kind, sources, test.override); !slices.Equal(got, test.want) {
			t.Errorf("%s, %q: got %+v", test.kind, test.override, got)
		}
	}
}
