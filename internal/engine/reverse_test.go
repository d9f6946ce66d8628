package engine

import (
	"strings"
	"testing"

	"banger/internal/ports"
)

// What leads nowhere is refused before anything is asked of a guest.
func TestReverseWantsAPort(t *testing.T) {
	for text, want := range map[string]string{"0:80": "which port of the host", ":80": "which port of the host", "53/udp": "only TCP"} {
		specs, err := ports.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		err = new(Engine).ReverseVM(t.Context(), "box", specs[0], func(string) { t.Error("something was opened") })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
