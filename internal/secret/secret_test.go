package secret

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text  string
		from  From
		hosts string // or the error
		value string
		file  string
	}{
		{"TOKEN@api.github.com", FromEnvironment, "api.github.com", "", ""},
		{"TOKEN@API.GitHub.com.,*.github.com:443,git.test:8443", FromEnvironment, "api.github.com *.github.com git.test:8443", "", ""},
		{"T_1=value@a.test", FromUser, "a.test", "value", ""},
		{"T=with@and=,@a.test", FromUser, "a.test", "with@and=,", ""},
		{"T=@/run/token@a.test", FromFile, "a.test", "", "/run/token"},
		{"T=@/run/to@ken@a.test", FromFile, "a.test", "", "/run/to@ken"},
		{"", "", "write NAME@HOST", "", ""},
		{"TOKEN", "", "write NAME@HOST", "", ""},
		{"TOKEN@", "", "write NAME or", "", ""},
		{"@a.test", "", "no variable's name", "", ""},
		{"1T@a.test", "", "no variable's name", "", ""},
		{"T-X@a.test", "", "no variable's name", "", ""},
		{"PATH@a.test", "", "sets that variable", "", ""},
		{"T=@a.test", "", "its value is empty", "", ""},
		{"T=@@a.test", "", "no file is named", "", ""},
		{"T@localhost", "", "write NAME or", "", ""},
		{"T@*", "", "write NAME or", "", ""},
		{"T@*.com", "", "write NAME or", "", ""},
		{"T@1.2.3.4", "", "for a name", "", ""},
		{"T@1.2.3", "", "write NAME or", "", ""}, // which some take for an address
		{"T@a.test:80", "", "goes no other way", "", ""},
		{"T@a.test:0", "", "no port", "", ""},
		{"T@a.test:x", "", "no port", "", ""},
		{"T@a..test", "", "write NAME or", "", ""},
		{"T@a.*.test", "", "write NAME or", "", ""},
		{"T@-a.test", "", "write NAME or", "", ""},
		{"T=v@a.test,", "", "no list of hosts", "", ""},
		{"T=topsecret@x/y", "", "no list of hosts", "", ""},
		{"T=two\nlines@a.test", "", "more than one line", "", ""},
		{"T= v@a.test", "", "begins or ends", "", ""},
		{"T=" + strings.Repeat("x", 9000) + "@a.test", "", "8192", "", ""},
	} {
		g, err := Parse(tt.text)
		if tt.from == "" {
			if err == nil || !strings.Contains(err.Error(), tt.hosts) {
				t.Errorf("%.60q: got %v, want %q", tt.text, err, tt.hosts)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		var hosts []string
		for _, h := range g.Hosts {
			hosts = append(hosts, string(h))
		}
		if got := strings.Join(hosts, " "); g.From != tt.from || got != tt.hosts || g.Value.Reveal() != tt.value || g.File != tt.file {
			t.Errorf("%q: %+v", tt.text, g)
		}
	}
}

// Names in Unicode are those of nobody, and not those that they look like.
func TestGiveTakesNoUnicode(t *testing.T) {
	for _, host := range []string{"\u212a.test", "te\u017ft.example", "b\u00fccher.example"} {
		if g, err := Give("T", "", []string{host}); err == nil {
			t.Errorf("%q became %q", host, g.Hosts)
		}
	}
}

// What may be the end of a value is in no error.
func TestErrorsHaveNoValues(t *testing.T) {
	for _, text := range []string{
		"T=hunter2", "T=a@hunter2", "T=a@hunter2:x", "T=a@-hunter2.x", "T=hunter2\x00@a.test", "PATH=hunter2@a.test", "hunter2",
	} {
		if _, err := Parse(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		host Host
		name string
		port uint16
		want bool
	}{
		{"a.test", "a.test", 443, true},
		{"a.test", "a.test", 8443, false},
		{"a.test:8443", "a.test", 8443, true},
		{"a.test:8443", "a.test", 443, false},
		{"a.test", "b.a.test", 443, false},
		{"*.a.test", "b.a.test", 443, true},
		{"*.a.test", "c.b.a.test", 443, true},
		{"*.a.test", "a.test", 443, false},
		{"*.a.test", ".a.test", 443, false},
		{"*.a.test", "ba.test", 443, false},
		{"a.test", "", 443, false},
	} {
		if got := tt.host.Matches(tt.name, tt.port); got != tt.want {
			t.Errorf("%s and %s:%d: %v", tt.host, tt.name, tt.port, got)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for _, text := range []string{
		"ghp_16C7e42F292c6912E7710c838347Ae178B4a", "sk-ant-api03-abcDEF-12_34567890abcdefXYZ", "AKIAIOSFODNN7EXAMPLE",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123", "plain0password1with2digits", "pässword!with?other&characters",
	} {
		v, err := NewValue(text)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{text: true}
		for range 100 {
			p := NewPlaceholder(v)
			if seen[p] {
				t.Fatalf("%q comes twice", p)
			}
			seen[p] = true
			if len(p) != len(text) {
				t.Errorf("%q for one of %d bytes", p, len(text))
			}
			for i, c := range []byte(p) {
				o := rune(text[i])
				if o < 0x80 && (unicode.IsUpper(o) != unicode.IsUpper(rune(c)) || unicode.IsDigit(o) != unicode.IsDigit(rune(c))) {
					t.Errorf("%q for %q", p, text)
				}
			}
		}
	}
	for text, prefix := range map[string]string{
		"ghp_16C7e42F292c6912E7710c838347Ae178B4a": "ghp_", "sk-ant-api03-abcDEF-1234567890abcdefXYZ": "sk-ant-api03-",
	} {
		if v, _ := NewValue(text); !strings.HasPrefix(NewPlaceholder(v), prefix) {
			t.Errorf("%q", NewPlaceholder(v))
		}
	}
	// No part of a password is told.
	if v, _ := NewValue("correct!horse"); strings.Contains(NewPlaceholder(v), "correct") || len(NewPlaceholder(v)) < minRandom {
		t.Errorf("%q", NewPlaceholder(v))
	}
}

// A value is printed by no verb, also within other things.
func TestValuesAreNotPrinted(t *testing.T) {
	v, err := NewValue("hunter2\n")
	if err != nil || v.Reveal() != "hunter2" {
		t.Fatalf("%q, %v", v.Reveal(), err)
	}
	all := Values{"T": v}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, what := range []any{v, &v, all, []Value{v}, Given{Value: v}, struct{ V any }{v}} {
			if text := fmt.Sprintf(verb, what); strings.Contains(text, "hunter2") || strings.Contains(text, "68756e746572") {
				t.Errorf("%s prints %q", verb, text)
			}
		}
	}
	data, err := json.Marshal(all)
	var read Values
	if err != nil || json.Unmarshal(data, &read) != nil || read["T"] != v {
		t.Errorf("%v, %v after JSON", read, err)
	}
	if data, _ := json.Marshal(Given{Value: v}.Secret); strings.Contains(string(data), "hunter2") {
		t.Error("a secret's JSON has the value")
	}
	for _, bad := range []string{`{"T":1}`, `{"T":""}`, `{"T":"a\nb"}`} {
		if err := json.Unmarshal([]byte(bad), &read); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Secret{Name: "T", Hosts: []Host{"a.test"}, From: FromUser}
	for want, all := range map[string][]Secret{
		"given twice":    {good, good},
		"0 hosts":        {{Name: "T", From: FromUser}},
		"its file":       {{Name: "T", Hosts: good.Hosts, From: FromFile, File: "relative"}},
		"comes from":     {{Name: "T", Hosts: good.Hosts}},
		"no variable":    {{Name: "=", Hosts: good.Hosts, From: FromUser}},
		"33 secrets":     make([]Secret, 33),
		"write NAME or ": {{Name: "T", Hosts: []Host{"*"}, From: FromUser}},
	} {
		if err := Check(all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := Check([]Secret{good}); err != nil {
		t.Error(err)
	}
	if got := For([]Secret{good}, "a.test", 443); len(got) != 1 || len(For([]Secret{good}, "b.test", 443)) != 0 {
		t.Errorf("got %v", got)
	}
}

// FuzzParse: what is taken is good and is written back to what is taken.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"T@a.test", "T=v@a.test,*.b.test:8443", "T=@f@a.test"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := Parse(text)
		if err != nil {
			return
		}
		if err := Check([]Secret{g.Secret}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for _, h := range g.Hosts {
			if _, port := h.Split(); !h.Matches(h.Domain(), port) && !strings.HasPrefix(string(h), "*") {
				t.Errorf("%q does not match itself", h)
			}
		}
		if g.From == FromUser && len(NewPlaceholder(g.Value)) < minRandom {
			t.Errorf("a short placeholder for %q", text)
		}
	})
}
