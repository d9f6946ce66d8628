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
		{"a\nb\x1b\u2028", 8, "a b  "},
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

// vm.json says why a guest gets I/O errors, and the log once.
func TestDiskErrorIsSaid(t *testing.T) {
	var log strings.Builder
	s := testSupervisor(t, nil)
	s.Log = &log
	for range 100 {
		s.diskError("no space left on device")
	}
	v, err := s.VMs.Get("box")
	if err != nil || !strings.HasSuffix(v.State.DiskError, "host's disk: no space left on device") {
		t.Errorf("got %q, %v", v.State.DiskError, err)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
}
