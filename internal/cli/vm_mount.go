package cli

import (
	"strings"

	"banger/internal/vm"
)

// mountsFlag takes directories of the host, each time one more.
type mountsFlag []vm.Mount

func (f *mountsFlag) Set(text string) error {
	m, err := vm.ParseMount(text)
	*f = append(*f, m)
	return err
}

func (f *mountsFlag) String() string {
	var all []string
	for _, m := range *f {
		all = append(all, m.String())
	}
	return strings.Join(all, ",")
}

func (f *mountsFlag) Type() string { return "mount" }
