package vm

import (
	"fmt"
	"net/netip"

	"banger/internal/ref"
)

// Place is a VM's place in a network: an address of its own, which it keeps for as
// long as it is there.
type Place struct {
	Network string       `json:"network"`
	Address netip.Prefix `json:"address,omitzero"` // with the subnet's bits; none before the VM is made
}

// MaxNetworks is how many networks a VM is on at the most.
const MaxNetworks = 8

func checkPlaces(places []Place) error {
	if len(places) > MaxNetworks {
		return fmt.Errorf("%d networks: a vm is on %d at the most", len(places), MaxNetworks)
	}
	seen := map[string]bool{}
	for _, p := range places {
		if err := ref.CheckName("network", p.Network); err != nil {
			return err
		}
		if seen[p.Network] {
			return fmt.Errorf("network %q is given twice", p.Network)
		}
		seen[p.Network] = true
	}
	return nil
}

// PlaceIn returns the VM's place in the named network.
func (v VM) PlaceIn(network string) (Place, bool) {
	for _, p := range v.Networks {
		if p.Network == network {
			return p, true
		}
	}
	return Place{}, false
}

// leavePlaces clears the addresses, which belong to another VM.
func (v *VM) leavePlaces() {
	places := v.Networks
	v.Networks = nil
	for _, p := range places {
		v.Networks = append(v.Networks, Place{Network: p.Network})
	}
}

// keepPlaces gives the VM the addresses that it had before.
func (v *VM) keepPlaces(before []Place) {
	had := VM{Networks: before}
	for i := range v.Networks {
		if p, ok := had.PlaceIn(v.Networks[i].Network); ok {
			v.Networks[i] = p
		}
	}
}
