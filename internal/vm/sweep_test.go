package vm

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"

	"banger/internal/format/ext4/ext4test"
	"banger/internal/statedir"
)

func createEphemeral(t *testing.T, s *Store, name string) *statedir.Lock {
	t.Helper()
	_, claim, err := s.CreateEphemeral(t.Context(), testSpec(name), ext4test.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	return claim
}

// Of the ephemeral VMs only those go whose run and supervisor are both gone.
func TestSweep(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("lasting"))
	createEphemeral(t, s, "abandoned").Release()
	createEphemeral(t, s, "supervised").Release()
	defer createEphemeral(t, s, "claimed").Release()
	lock, err := s.Lock(t.Context(), "supervised")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if removed := s.Sweep(); !slices.Equal(removed, []string{"abandoned"}) {
		t.Errorf("removed %v", removed)
	}
	names, err := s.tree.Names()
	if err != nil || !slices.Equal(names, []string{"claimed", "lasting", "supervised"}) {
		t.Errorf("%v are left, %v", names, err)
	}
}

// A run's VM is never without one who holds it, so that sweeping at any time
// harms no run that lives.
func TestSweepBesideRuns(t *testing.T) {
	s := testStore(t)
	stop, swept := make(chan struct{}), make(chan []string)
	go func() {
		var removed []string
		for {
			select {
			case <-stop:
				swept <- removed
				return
			default:
				removed = append(removed, s.Sweep()...)
			}
		}
	}()
	for range 5 {
		claim := createEphemeral(t, s, "a")
		lease, err := start(t, t.Context(), s, "ready")
		if err != nil {
			t.Fatal(err)
		}
		if err := lease.End(); err != nil {
			t.Error(err)
		}
		claim.Release()
	}
	close(stop)
	if removed := <-swept; len(removed) > 0 {
		t.Errorf("runs that lived lost %v", removed)
	}
}

// What a supervisor leaves that dies goes without its VM.
func TestSweepTidies(t *testing.T) {
	s := testStore(t)
	v := create(t, s, testSpec("a"))
	v.State.Phase = Running
	if err := s.Save(v); err != nil {
		t.Fatal(err)
	}
	left := []string{statedir.Socket, ".new-vm.json"}
	for _, name := range left {
		if err := os.WriteFile(s.Path("a", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.Get("a")
	if err != nil {
		t.Fatal(err)
	}
	if removed := s.Sweep(); len(removed) > 0 {
		t.Errorf("removed %v", removed)
	}
	for _, name := range left {
		if _, err := os.Stat(s.Path("a", name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if after, err := s.Get("a"); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("the VM is %+v, %v; it was %+v", after, err, before)
	}
}

// A VM that goes while it is started is said not to be there.
func TestStartLosesToRemove(t *testing.T) {
	s := testStore(t)
	for _, f := range []func() error{
		func() error { _, err := s.launch(VM{Name: "gone"}, []string{"true"}, nil); return err },
		func() error { _, err := s.Lock(t.Context(), "gone"); return err },
	} {
		if err := f(); !errors.As(err, new(*NotFoundError)) {
			t.Errorf("got %v", err)
		}
	}
}

// What a change left half made of a VM that is down goes, and the VM stays as it is.
func TestSweepDrafts(t *testing.T) {
	s := testStore(t)
	v := create(t, s, testSpec("box"))
	draft := s.Path("box", ".new-"+statedir.VMState)
	if err := os.WriteFile(draft, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if removed := s.Sweep(); len(removed) > 0 {
		t.Errorf("removed %v", removed)
	}
	if _, err := os.Stat(draft); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the draft is there: %v", err)
	}
	if got, err := s.Get("box"); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("%+v, %v", got, err)
	}
}
