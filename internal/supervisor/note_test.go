package supervisor

import (
	"testing"

	"banger/internal/journal"
	"banger/internal/vm"
)

func TestPhaseEvent(t *testing.T) {
	for _, tt := range []struct {
		from, to vm.Phase
		failed   bool
		want     string
	}{
		{vm.Created, vm.Starting, false, journal.Starting},
		{vm.Stopped, vm.Starting, false, journal.Starting},
		{vm.Running, vm.Starting, false, journal.Rebooting},
		{vm.Starting, vm.Starting, false, ""},
		{vm.Starting, vm.Running, false, journal.Ready},
		{vm.Running, vm.Paused, false, journal.Paused},
		{vm.Paused, vm.Running, false, journal.Resumed},
		{vm.Running, vm.Stopping, false, journal.Stopping},
		{vm.Stopping, vm.Stopped, false, journal.Stopped},
		{vm.Running, vm.Stopped, true, journal.Died},
	} {
		if got := phaseEvent(vm.State{Phase: tt.from}, vm.State{Phase: tt.to, Failed: tt.failed}); got != tt.want {
			t.Errorf("%s to %s: got %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
}
