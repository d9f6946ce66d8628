package vm

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"banger/internal/format/ext4/ext4test"
	"banger/internal/ports"
	"banger/internal/secret"
	"banger/internal/statedir"
)

func TestChange(t *testing.T) {
	old := VM{Name: "box", CPUs: 1, MemoryMiB: 512, DiskBytes: 1 << 30, Labels: Labels{"a": "1", "b": "2"}}
	p := func(n int) *int { return &n }
	d := func(n int64) *int64 { return &n }
	for name, tt := range map[string]struct {
		change Change
		ok     bool
		waits  string
		labels string
	}{
		"nothing":         {Change{}, true, "", "a=1,b=2"},
		"labels":          {Change{Labels: Labels{"a": "", "c": "3"}}, true, "", "b=2,c=3"},
		"a label's name":  {Change{Labels: Labels{"a b": "1"}}, false, "", ""},
		"cpus":            {Change{CPUs: p(4)}, true, "cpus", "a=1,b=2"},
		"no cpus":         {Change{CPUs: p(0)}, false, "cpus", ""},
		"no memory":       {Change{MemoryMiB: p(-1)}, false, "memory", ""},
		"all that waits":  {Change{CPUs: p(2), MemoryMiB: p(512), Ports: &[]ports.Spec{}, Mounts: &[]Mount{}, Volumes: &[]Volume{}}, true, "cpus memory ports mounts volumes", "a=1,b=2"},
		"a larger disk":   {Change{DiskBytes: d(2 << 30)}, true, "", "a=1,b=2"},
		"a smaller disk":  {Change{DiskBytes: d(1 << 29)}, false, "", ""},
		"no such secret":  {Change{DropSecrets: []string{"TOKN"}}, false, "", ""},
		"a negative time": {Change{TTL: func() *Duration { n := Duration(-1); return &n }()}, false, "", ""},
	} {
		got, err := tt.change.Apply(old)
		if (err == nil) != tt.ok || strings.Join(tt.change.Waits(), " ") != tt.waits {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && got.Labels.String() != tt.labels {
			t.Errorf("%s: labels %s", name, got.Labels)
		}
		if old.Labels.String() != "a=1,b=2" {
			t.Fatalf("%s changed what was there before", name)
		}
	}
}

// Wherever a rename ends, the VM's files name it.
func TestRename(t *testing.T) {
	s := NewStore(statedir.Tree{Kind: "vm", Dir: t.TempDir()})
	for _, name := range []string{"a", "b"} {
		if _, err := s.Create(t.Context(), VM{Name: name, CPUs: 1, MemoryMiB: 64, DiskBytes: MinDiskBytes}, ext4test.Empty(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rename(t.Context(), "a", "b"); err == nil {
		t.Fatal("a name that is taken was given")
	}
	if err := s.Rename(t.Context(), "a", "c"); err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys("c")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(s.Path("c", statedir.KnownHosts))
	if want := string(knownHosts(keys.Host.PublicKey(), "c")); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	lock, err := s.Lock(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if err := s.Rename(t.Context(), "c", "d"); err == nil {
		t.Error("a VM that is held was renamed")
	}
}

// Secrets are added, or take the place of those of the same name.
func TestChangeOfSecrets(t *testing.T) {
	of := func(name, host string) secret.Secret {
		return secret.Secret{Name: name, Hosts: []secret.Host{secret.Host(host)}, From: secret.FromEnvironment}
	}
	old := VM{Name: "box", CPUs: 1, MemoryMiB: 512, DiskBytes: 1 << 30, Secrets: []secret.Secret{of("A", "a.test"), of("B", "b.test")}}
	got, err := Change{Secrets: []secret.Secret{of("C", "c.test"), of("A", "d.test")}, DropSecrets: []string{"B"}}.Apply(old)
	if text := fmt.Sprint(got.Secrets); err != nil || text != "[A@d.test C@c.test]" {
		t.Errorf("got %s, %v", text, err)
	}
	if text := fmt.Sprint(old.Secrets); text != "[A@a.test B@b.test]" {
		t.Errorf("before there are %s", text)
	}
	if _, err := (Change{Secrets: []secret.Secret{of("PATH", "a.test")}}).Apply(old); err == nil {
		t.Error("a bad one is taken")
	}
}
