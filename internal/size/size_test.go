package size

import "testing"

func TestParse(t *testing.T) {
	tests := map[string]Size{
		"512M": 512 << 20, "8G": 8 << 30, "8GiB": 8 << 30, "8gb": 8 << 30, "1.5G": 3 << 29,
		"64k": 64 << 10, "2T": 2 << 40, "2048": 2 << 30, " 1M ": 1 << 20, "0": 0,
	}
	for text, want := range tests {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "-1G", "1X", "1 2", "NaN", "Inf", "1e9", "512B", "9999999999T"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
}

func TestString(t *testing.T) {
	tests := map[Size]string{0: "0B", 1023: "1023B", 1 << 10: "1K", 3 << 29: "1.5G", 5 << 40: "5T", 4<<50 + 1: "4096T"}
	for s, want := range tests {
		if got := s.String(); got != want {
			t.Errorf("%d: got %s, want %s", s, got, want)
		}
	}
}
