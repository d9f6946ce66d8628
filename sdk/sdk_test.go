package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"banger/internal/config"
	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/network"
	"banger/internal/ports"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/volume"
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
		{&snapshot.NotFoundError{Name: "x"}, ErrNotFound},
		{&volume.NotFoundError{Name: "x"}, ErrNotFound},
		{&kernel.NotFoundError{Name: "x"}, ErrNotFound},
		{&network.NotFoundError{Name: "x"}, ErrNotFound},
		{&imagemgr.NotFoundError{Name: "x"}, ErrNoImage},
		{&volume.AttachedError{Name: "x"}, ErrInUse},
		{&engine.InUseError{Kind: "volume", Name: "x"}, ErrInUse},
		{&ports.TakenError{}, ErrInUse},
		{fmt.Errorf("copy: %w", os.ErrNotExist), os.ErrNotExist},
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
	if err := c.Signal("INT"); err == nil {
		t.Error("signalled what was not started")
	}
	if _, err := (&VM{}).Exec(t.Context(), "true").StdoutPipe(); err != nil {
		t.Error(err)
	}
	c.Stdout = &out
	if _, err := c.Output(); err == nil {
		t.Error("Output took a Stdout")
	}
	if _, err := c.CombinedOutput(); err == nil {
		t.Error("CombinedOutput took a Stdout")
	}
	if _, err := c.StdoutPipe(); err == nil {
		t.Error("there is a pipe and a Stdout")
	}
}

// Options say to the engine what they say.
func TestComplete(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{engine: engine.New(engine.Options{})}
	with, err := c.complete(VMOptions{
		Ephemeral: true, TTL: time.Hour, Labels: map[string]string{"a": "b"}, Networks: []string{"none"},
		Mounts: []Mount{{Source: "."}, {Source: "/x", Target: "/y", ReadOnly: true}}, Volumes: []VolumeMount{{Volume: "v", Path: "/v"}},
		Ports: []Port{{Guest: 80}, {HostIP: netip.IPv4Unspecified(), Host: 1, Guest: 2, Protocol: "udp"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := engine.VMOptions{Ephemeral: with.Ephemeral, TTL: with.TTL, Labels: with.Labels, Networks: with.Networks, Mounts: with.Mounts, Volumes: with.Volumes, Ports: with.Ports}
	want := engine.VMOptions{
		Ephemeral: true, TTL: vm.Duration(time.Hour), Labels: vm.Labels{"a": "b"}, Networks: []string{"none"},
		Mounts: []vm.Mount{{Source: dir, Target: dir}, {Source: "/x", Target: "/y", ReadOnly: true}}, Volumes: []vm.Volume{{Name: "v", Path: "/v"}},
		Ports: []ports.Spec{
			{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), GuestPort: 80, Protocol: "tcp"}, {HostIP: netip.IPv4Unspecified(), HostPort: 1, GuestPort: 2, Protocol: "udp"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
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
