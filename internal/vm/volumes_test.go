package vm

import (
	"strings"
	"testing"
)

func TestParseVolume(t *testing.T) {
	for text, want := range map[string]Volume{
		"data:/data":         {Name: "data", Path: "/data"},
		"data:/srv/a b:ro":   {Name: "data", Path: "/srv/a b", ReadOnly: true},
		"d-1:/var/lib/x/:rw": {Name: "d-1", Path: "/var/lib/x/"},
	} {
		if got, err := ParseVolume(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                                   "write NAME",
		"data":                               "write NAME",
		":/data":                             "name",
		"./src:/src":                         "a path of the host",
		"/src:/src":                          "a path of the host",
		"~/src:/src":                         "a path of the host",
		"data:data":                          "no absolute",
		"data:/a/../b":                       "no absolute",
		"data:/":                             "root",
		"data:/proc/x":                       "kernel's own",
		"data:/dev":                          "kernel's own",
		"data:/a\nb":                         "control",
		"data:/x:rx":                         "write NAME",
		"data:/x:ro:ro":                      "write NAME",
		"data:/" + strings.Repeat("x", 2000): "too long",
	} {
		if _, err := ParseVolume(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestCheckVolumes(t *testing.T) {
	one, two := Volume{Name: "a", Path: "/a"}, Volume{Name: "b", Path: "/b"}
	for what, volumes := range map[string][]Volume{
		"twice":     {one, {Name: "a", Path: "/c"}},
		"one place": {one, {Name: "b", Path: "/a/"}},
		"too many":  make([]Volume, MaxVolumes+1),
		"malformed": {one, {Name: "b", Path: "b"}},
	} {
		if checkVolumes(volumes) == nil {
			t.Errorf("%s: taken", what)
		}
	}
	if err := checkVolumes([]Volume{one, two}); err != nil {
		t.Error(err)
	}
}
