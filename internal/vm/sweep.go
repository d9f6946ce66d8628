package vm

import (
	"fmt"

	"banger/internal/journal"
	"banger/internal/statedir"
)

// EphemeralError says that a VM belongs to a run or a build alone.
type EphemeralError struct{ Name string }

func (e *EphemeralError) Error() string {
	return fmt.Sprintf("vm %q is part of a run or a build, and is removed when that ends", e.Name)
}

// DiedError says that a VM's supervisor, and with it the VM, died.
type DiedError struct{ Name string }

func (e *DiedError) Error() string {
	return fmt.Sprintf("the supervisor of vm %q died, and the vm with it", e.Name)
}

// Sweep clears up after supervisors that died, and removes the ephemeral VMs of
// runs that did. It returns the names of those that it removed.
func (s *Store) Sweep() (removed []string) {
	names, _ := s.tree.Names()
	for _, name := range names {
		if s.abandoned(name) && s.sweep(name) {
			removed = append(removed, name)
		}
	}
	return removed
}

// abandoned reports whether a VM may have to be swept up. It takes no lock: that could be
// in the way of a supervisor that starts.
func (s *Store) abandoned(name string) bool {
	if statedir.Locked(s.lockPath(name)) {
		return false
	}
	v, err := s.load(name)
	if err == nil && v.Ephemeral {
		return !statedir.Locked(s.Path(name, statedir.Claim))
	}
	return err == nil && (v.State.Phase.Alive() || len(s.tree.Drafts(name)) > 0)
}

// sweep looks again once it holds all that a living run or supervisor would.
func (s *Store) sweep(name string) (removed bool) {
	lock, err := statedir.TryLock(s.lockPath(name))
	if err != nil {
		return false
	}
	defer lock.Release()
	v, err := s.load(name)
	switch {
	case err != nil:
		return false
	case v.Ephemeral:
		claim, err := statedir.TryLock(s.Path(name, statedir.Claim))
		if err != nil {
			return false // its run lives
		}
		defer claim.Release()
		return s.RemoveLocked(name) == nil
	case v.State.Phase.Alive():
		s.tidy(v)
	default:
		s.sweepFiles(name)
	}
	return false
}

func (s *Store) leave(v VM) {
	if s.Leave != nil {
		s.Leave(v)
	}
}

// tidy removes what a supervisor that died has left.
func (s *Store) tidy(v VM) {
	statedir.RemoveSocket(s.Path(v.Name, statedir.Socket))
	s.sweepFiles(v.Name)
	s.leave(v)
	v.State.Phase, v.State.Reason, v.State.VMMPID = Stopped, supervisorDied, 0
	s.Save(v) // which did not change what anybody sees
	s.Note(journal.Entry{VM: v.Name, Event: journal.Died, Detail: supervisorDied})
}

// sweepFiles removes the half-made files that a supervisor that died has left in a VM's
// directory.
func (s *Store) sweepFiles(name string) { statedir.Tree{Dir: s.Path(name, "")}.Sweep() }
