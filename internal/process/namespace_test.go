package process

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestOwnNetwork(t *testing.T) {
	host, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := Cmd{Args: []string{"sh", "-c", "id -u; readlink /proc/self/ns/net; grep CapEff /proc/self/status"}, Stdout: &out, OwnNetwork: true}
	err = Run(t.Context(), c)
	if errors.As(err, new(*NamespaceError)) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(out.String())
	if len(lines) != 4 || lines[1] == host {
		t.Errorf("got %q, on a host with %s", lines, host)
	}
	// Root of a namespace has what its kernel gives it; others have the three.
	if os.Geteuid() != 0 && lines[3] != "0000000000003100" {
		t.Errorf("the capabilities are %s", lines[3])
	}
}
