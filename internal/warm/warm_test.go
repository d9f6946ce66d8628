package warm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

func testStore(t *testing.T) *Store {
	t.Helper()
	return NewStore(statedir.Tree{Kind: "template", Dir: filepath.Join(t.TempDir(), "warm")}, "test")
}

const content = 64 << 10

// publish makes a template of 64 KiB and a little more.
func publish(t *testing.T, s *Store, shape Shape, most int64) error {
	t.Helper()
	draft, err := s.Draft()
	if err != nil {
		t.Fatal(err)
	}
	defer draft.Discard()
	data := make([]byte, content)
	data[0] = 1
	if err := os.WriteFile(filepath.Join(draft.Dir(), statedir.Memory), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return s.Publish(t.Context(), draft, snapshot.Snapshot{Name: shape.Name(), VM: vm.VM{DiskBytes: 1 << 30}}, most)
}

func shapes(t *testing.T, s *Store) (cpus []string) {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range all {
		cpus = append(cpus, template.Name)
	}
	return cpus
}

// Many processes note something at once, and each of them is heard.
func TestNotesAtOnce(t *testing.T) {
	s := testStore(t)
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			if err := s.SetOff(fmt.Sprint("image", i), true); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if off, err := s.Off(); err != nil || len(off) != 30 {
		t.Errorf("%d images are off, %v", len(off), err)
	}
}

// Whatever of a shape is another makes it another.
func TestShape(t *testing.T) {
	base := Shape{ImageDigest: "i", KernelDigest: "k", AgentDigest: "a", CPUs: 2, MemoryMiB: 1024, Backend: "qemu", Version: "7.2", Accel: "tcg", CPU: "c"}
	names := map[string]bool{base.Name(): true}
	for _, change := range []func(*Shape){
		func(s *Shape) { s.ImageDigest = "j" }, func(s *Shape) { s.StopSignal = "SIGINT" }, func(s *Shape) { s.KernelDigest = "l" },
		func(s *Shape) { s.AgentDigest = "b" }, func(s *Shape) { s.CPUs = 1 }, func(s *Shape) { s.MemoryMiB = 512 },
		func(s *Shape) { s.Backend = "firecracker" }, func(s *Shape) { s.Version = "8" }, func(s *Shape) { s.Accel = "kvm" },
		func(s *Shape) { s.CPU = "d" }, func(s *Shape) { s.CPUFeatures = []string{"avx"} },
		func(s *Shape) { s.Policy = policy.Settings{Egress: "none"} }, func(s *Shape) { s.HostLoopback = true },
	} {
		other := base
		change(&other)
		if names[other.Name()] {
			t.Errorf("%+v has the name of another", other)
		}
		names[other.Name()] = true
	}
}

func TestGet(t *testing.T) {
	s, shape := testStore(t), Shape{CPUs: 1}
	if got, err := s.Get(shape); got != nil || err != nil {
		t.Errorf("got %v, %v of none", got, err)
	}
	for range 2 { // the second in place of the first
		if err := publish(t, s, shape, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Get(shape)
	if err != nil || got == nil || !got.Fits(1<<30) || got.Fits(1<<29) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := errors.Join(s.Remove(shape.Name()), s.Remove(shape.Name())); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(s.tree.Dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What was used longest ago makes room for what is new.
func TestMaxDisk(t *testing.T) {
	s := testStore(t)
	old, used, last := Shape{CPUs: 1}, Shape{CPUs: 2}, Shape{CPUs: 3}
	const two = 2*content + content/2
	for i, shape := range []Shape{old, used} {
		if err := publish(t, s, shape, two); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-time.Duration(10-i) * time.Hour)
		if err := os.Chtimes(s.tree.Path(shape.Name(), statedir.Manifest), at, at); err != nil {
			t.Fatal(err)
		}
	}
	s.Use(old.Name())
	if err := publish(t, s, last, two); err != nil {
		t.Fatal(err)
	}
	if got := shapes(t, s); !slices.Equal(got, []string{last.Name(), old.Name()}) {
		t.Errorf("left are %v", got)
	}
	if err := publish(t, s, used, content/2); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if got := shapes(t, s); len(got) != 2 {
		t.Errorf("left are %v", got)
	}
	freed, err := s.RemoveWhere(func(t Template) bool { return t.Name == last.Name() })
	if size, sizeErr := s.Size(); err != nil || sizeErr != nil || freed < content || size < content || size > two {
		t.Errorf("freed %d, %v; left are %d, %v", freed, err, size, sizeErr)
	}
}

func TestNotes(t *testing.T) {
	s := testStore(t)
	for _, step := range []struct {
		image string
		off   bool
		want  []string
	}{{"a", true, []string{"a"}}, {"b", true, []string{"a", "b"}}, {"a", true, []string{"a", "b"}}, {"a", false, []string{"b"}}, {"c", false, []string{"b"}}} {
		if err := s.SetOff(step.image, step.off); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Off(); err != nil || !slices.Equal(got, step.want) {
			t.Errorf("after %+v: %v, %v", step, got, err)
		}
	}
	if s.Failed("x") {
		t.Error("x has not failed yet")
	}
	for range 2 * maxFailures {
		if err := s.SetFailed("x"); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Failed("x") || s.Failed("y") {
		t.Error("x alone has failed")
	}
	if off, err := s.Off(); err != nil || !slices.Equal(off, []string{"b"}) {
		t.Errorf("off are %v, %v", off, err)
	}
}
