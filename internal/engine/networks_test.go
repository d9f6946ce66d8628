package engine

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"banger/internal/network"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// The socket that a supervisor had in a network goes where it was killed: once it is
// seen, or with its VM.
func TestSocketsOfTheDead(t *testing.T) {
	e := newEngine(t)
	if _, err := e.CreateNetwork(t.Context(), network.Network{Name: "lab"}); err != nil {
		t.Fatal(err)
	}
	for name, notice := range map[string]func(v vm.VM) error{
		"seen": func(v vm.VM) error {
			v.State.Phase = vm.Running
			err := e.vms.Save(v)
			e.Sweep()
			return err
		},
		"removed": func(v vm.VM) error { return e.RemoveVM(t.Context(), v.Name, false) },
	} {
		addVM(t, e, vm.VM{Name: name, Networks: []vm.Place{{Network: "lab"}}})
		v, err := e.vms.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		socket := e.Dirs.NetworkTree().Path("lab", statedir.PeersDir+"/"+name)
		if err := os.WriteFile(socket, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := notice(v); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket of one that was %s: %v", name, err)
		}
	}
}
