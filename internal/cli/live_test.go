package cli

import (
	"strings"
	"testing"
)

func TestSparkline(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		most   float64
		want   string
	}{
		{nil, 100, ""},
		{[]float64{0, 50, 100, 200, -5}, 100, "▁▅██▁"},
		{[]float64{1, 2}, 0, "▁▁"},
	} {
		if got := sparkline(tt.values, tt.most); got != tt.want {
			t.Errorf("%v of %v: got %q, want %q", tt.values, tt.most, got, tt.want)
		}
	}
}

// A view has no more lines than its terminal, and none that takes two rows of it.
func TestLive(t *testing.T) {
	var out strings.Builder
	l := live{&out, func() (columns, rows int) { return 5, 3 }}
	if err := l.draw("▁▂▃▄▅▆▇\nb\nc\nd\n"); err != nil || out.String() != "\x1b[H▁▂▃▄▅\x1b[K\nb\x1b[K\n\x1b[J" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
