package edge

import (
	"encoding/base64"
	"strings"
	"testing"

	"banger/internal/secret"
)

// A placeholder is found in any pieces, and within Basic credentials.
func TestScanner(t *testing.T) {
	e := &Edge{placeholders: map[string]string{"TOKEN": fake, "PASSWORD": fakePass}}
	e.hold([]secret.Secret{{Name: "TOKEN"}, {Name: "PASSWORD"}}, nil)
	for _, tt := range []struct{ text, want string }{
		{"GET / HTTP/1.1\r\n\r\n", ""},
		{"x" + fake, "TOKEN"},
		{fakePass + "x", "PASSWORD"},
		{fake[:len(fake)-1] + "x", ""},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte(fake)), "TOKEN"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+fake)), "TOKEN"},
		{"Basic " + base64.RawURLEncoding.EncodeToString([]byte("abc:"+fakePass+"??")), "PASSWORD"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+fake+"more")), "TOKEN"},
	} {
		text := strings.Repeat("before", 50) + tt.text + strings.Repeat("after", 50)
		for _, step := range []int{1, 3, 40, 500, len(text)} {
			s, got := e.Scanner(), ""
			for rest := text; rest != "" && got == ""; rest = rest[min(step, len(rest)):] {
				got = s.Find([]byte(rest[:min(step, len(rest))]))
			}
			if got != tt.want {
				t.Errorf("%q in steps of %d: got %q", tt.text, step, got)
			}
		}
	}
}

// FuzzScanner holds it against a search of the whole.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("x"+fake), 3)
	f.Add([]byte(fake[:10]+fake), 1)
	e := &Edge{placeholders: map[string]string{"TOKEN": fake}}
	e.hold([]secret.Secret{{Name: "TOKEN"}}, nil)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		if step < 1 {
			return
		}
		s, got := e.Scanner(), ""
		for rest := data; len(rest) > 0 && got == ""; rest = rest[min(step, len(rest)):] {
			got = s.Find(rest[:min(step, len(rest))])
		}
		if want := e.held.Load().scanned.find(data); got != want {
			t.Errorf("in steps of %d: got %q, want %q", step, got, want)
		}
	})
}
