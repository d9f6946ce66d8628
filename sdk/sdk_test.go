package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"banger/internal/config"
	"banger/internal/engine"
	"banger/internal/statedir"
	"banger/internal/vm"
)

func TestOpenWithoutABinary(t *testing.T) {
	t.Setenv("BANGER_BIN", "/no/such/banger")
	if _, err := Open(Options{}); err == nil || !strings.Contains(err.Error(), "banger binary") {
		t.Errorf("got %v", err)
	}
}

func TestExplain(t *testing.T) {
	if explain(nil) != nil {
		t.Error("nothing became an error")
	}
	for _, tt := range []struct{ err, want error }{
		{&vm.NotFoundError{Name: "x"}, ErrNotFound},
		{fmt.Errorf("start: %w", &vm.PhaseError{Name: "x", Phase: vm.Stopped}), ErrPhase},
		{fmt.Errorf("make: %w", statedir.ErrExist), ErrExist},
	} {
		if got := explain(tt.err); !errors.Is(got, tt.want) || !errors.Is(got, tt.err) || got.Error() != tt.err.Error() {
			t.Errorf("%v became %v", tt.err, got)
		}
	}
}

func TestTail(t *testing.T) {
	for _, chunk := range []int{1, 1000, maxTail, 3 * maxTail} {
		var kept tail
		for range 4*maxTail/chunk + 1 {
			kept.Write(bytes.Repeat([]byte("x"), chunk))
		}
		kept.Write([]byte("end"))
		if len(kept) != maxTail || !strings.HasSuffix(string(kept), "xend") {
			t.Errorf("in writes of %d: %d bytes are kept", chunk, len(kept))
		}
	}
}

// Of a Cmd, each thing is done once.
func TestCmdMisuse(t *testing.T) {
	var out bytes.Buffer
	c := (&VM{}).Exec(t.Context(), "true")
	if err := c.Wait(); err == nil {
		t.Error("waited for what was not started")
	}
	c.Stdout = &out
	if _, err := c.Output(); err == nil {
		t.Error("Output took a Stdout")
	}
	if _, err := c.CombinedOutput(); err == nil {
		t.Error("CombinedOutput took a Stdout")
	}
}

// What the user has configured for all VMs holds for a program's too.
func TestConfiguredPolicy(t *testing.T) {
	c := &Client{engine: engine.New(engine.Options{Config: config.Config{Egress: "none", Allow: []string{"a.example"}, Deny: []string{"b.example"}}})}
	with, err := c.complete(VMOptions{Secrets: []Secret{{Name: "T", Value: "v", Hosts: []string{"A.example"}}}})
	if err != nil || len(with.Secrets) != 1 || with.Secrets[0].Hosts[0] != "a.example" {
		t.Errorf("got %+v, %v", with.Secrets, err)
	}
	if _, err := c.complete(VMOptions{Secrets: []Secret{{Name: "T", Hosts: []string{"*"}}}}); err == nil {
		t.Error("a secret for any host is taken")
	}
	got := with.Policy
	if got.Egress != "none" || !slices.Equal(got.Allow, []string{"a.example"}) || !slices.Equal(got.Deny, []string{"b.example"}) {
		t.Errorf("got %+v", got)
	}
	with, _ = c.complete(VMOptions{Egress: "public", Allow: []string{}})
	if got = with.Policy; got.Egress != "public" || len(got.Allow) > 0 {
		t.Errorf("got %+v", got)
	}
}
