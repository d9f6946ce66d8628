package share

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"banger/internal/agentapi"
)

// TestMain is the process, where Start has run this program: what it does is said by
// where the first directory is to be mounted.
func TestMain(m *testing.M) {
	if len(os.Args) != 2 || os.Args[1] != Argument {
		os.Exit(m.Run())
	}
	var w work
	if json.NewDecoder(os.Stdin).Decode(&w) == nil && w.Mounts[0].Target != "/die" {
		io.WriteString(os.NewFile(reportFD, "the service"), strings.TrimPrefix(w.Mounts[0].Target, "/"))
	}
	os.Exit(0)
}

// Who starts the process hears that all is mounted, or why not, also where it ends
// without a word.
func TestStart(t *testing.T) {
	for target, want := range map[string]string{
		"/mounted":   "",
		"/no host":   "no host",
		"/mounted, ": "mounted, ",
		"/die":       "the process that mounts the host's directories has ended",
	} {
		life, err := Start([]agentapi.Mount{{Target: target}}, nil)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			life.Close()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}
