package supervisor

import (
	"cmp"

	"banger/internal/journal"
	"banger/internal/vm"
)

// note records how the VM's state has changed.
func (s *supervisor) note(before vm.State) {
	after := s.vm.State
	if event := phaseEvent(before, after); event != "" {
		s.VMs.Note(journal.Entry{VM: s.Name, Event: event, Detail: cmp.Or(after.Reason, s.whyEnding(event))})
	}
	if after.DiskError != "" && after.DiskError != before.DiskError {
		s.VMs.Note(journal.Entry{VM: s.Name, Event: journal.DiskError, Detail: after.DiskError})
	}
	switch was, is := before.Main, after.Main; {
	case is == nil || was == is:
	case is.EndedAt.IsZero() && (was == nil || was.StartedAt != is.StartedAt):
		s.VMs.Note(journal.Entry{VM: s.Name, Event: journal.MainStart, Argv: s.mainArgv()})
	case !is.EndedAt.IsZero():
		s.VMs.Note(journal.Entry{VM: s.Name, Event: journal.MainEnd, Status: is.Status, Detail: is.Error})
	}
}

func (s *supervisor) mainArgv() []string {
	if s.vm.Main == nil {
		return nil
	}
	return s.vm.Main.Argv
}

func (s *supervisor) whyEnding(event string) string {
	if event == journal.Stopping {
		return s.asked
	}
	return ""
}

// phaseEvent is what a step in a VM's life is to others, "" where it is none.
func phaseEvent(before, after vm.State) string {
	if before.Phase == after.Phase {
		return ""
	}
	switch after.Phase {
	case vm.Starting:
		if before.Phase.Alive() {
			return journal.Rebooting
		}
		return journal.Starting
	case vm.Running:
		if before.Phase == vm.Paused {
			return journal.Resumed
		}
		return journal.Ready
	case vm.Paused:
		return journal.Paused
	case vm.Stopping:
		return journal.Stopping
	case vm.Stopped:
		if after.Failed {
			return journal.Died
		}
		return journal.Stopped
	}
	return ""
}

// maxOOMs is how many processes of a boot are recorded that the guest's kernel
// killed: a guest may say so as often as it wants.
const maxOOMs = 32

// noteOOM records that the guest's kernel killed a process for want of memory.
func (s *supervisor) noteOOM(what string) {
	s.VMs.Note(journal.Entry{VM: s.Name, Event: journal.OOM, Detail: clip("process "+what, maxReason)})
}
