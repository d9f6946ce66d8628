package volume

import (
	"fmt"
	"strings"

	"banger/internal/vm"
)

// Holders names those of vms that run and have the named volume attached.
func Holders(vms []vm.VM, name string) string {
	var holders []string
	for _, v := range vms {
		if !v.State.Phase.Alive() {
			continue
		}
		for _, its := range v.State.Volumes {
			if its.Name != name {
				continue
			}
			as := "which writes to it"
			if its.ReadOnly {
				as = "which reads it"
			}
			holders = append(holders, fmt.Sprintf("vm %s, %s", v.Name, as))
		}
	}
	return strings.Join(holders, "; ")
}
