package supervisor

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClip(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"6.1.0", 8, "6.1.0"},
		{"12345678", 8, "12345678"},
		{"123456789", 8, "12345…"},
		{"a\xffb", 8, "a?b"},
		{"1234€6789", 8, "1234…"},
		{"äääää", 8, "ää…"},
	}
	for _, test := range tests {
		if got := clip(test.text, test.limit); got != test.want {
			t.Errorf("clip(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add(strings.Repeat("\xe2\x82", 9), 8)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 8 + int(uint(limit)%512)
		if got := clip(text, limit); len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("clip(%q, %d) = %q", text, limit, got)
		}
	})
}
