package agent

import (
	"strings"
	"testing"
)

func TestSaid(t *testing.T) {
	var little said
	for _, part := range []string{"banger: ", "no ", "room\n"} {
		little.Write([]byte(part))
	}
	if got := little.String(); got != "banger: no room" {
		t.Errorf("got %q", got)
	}
	for _, chunk := range []int{1, 100, saidEdge, 10 * saidEdge, 1 << 20} {
		var much said
		data := []byte("first " + strings.Repeat("x", 1<<20) + " last")
		for len(data) > 0 {
			n := min(chunk, len(data))
			if written, err := much.Write(data[:n]); written != n || err != nil {
				t.Fatal(written, err)
			}
			data = data[n:]
		}
		got := much.String()
		if !strings.HasPrefix(got, "first ") || !strings.HasSuffix(got, " last") || !strings.Contains(got, "bytes left out") {
			t.Errorf("in writes of %d: got %d bytes, %.20q...", chunk, len(got), got)
		}
		if len(got) > 2*saidEdge+100 || cap(much.tail) > 4*saidEdge {
			t.Errorf("in writes of %d: %d bytes are kept", chunk, len(got))
		}
	}
}
