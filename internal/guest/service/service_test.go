package service

import (
	"io"
	"os"
	"testing"

	"banger/internal/agentapi"
)

// A service that died while it mounted the host's directories has not mounted them.
func TestConfigureHearsWhatBecameOfTheMounts(t *testing.T) {
	for word, want := range map[string]string{
		prepared:           "",
		"":                 "the agent's service has ended",
		"there is no FUSE": "there is no FUSE",
	} {
		configRead, config, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer configRead.Close()
		said, report, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(report, word)
		report.Close()
		got := ""
		p := Process{config: config, said: said}
		if err := p.Configure(Config{Settings: agentapi.Settings{Mounts: make([]agentapi.Mount, 1)}}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("of %q it makes %q, want %q", word, got, want)
		}
	}
}
