package initramfs

import (
	"fmt"
	"path/filepath"

	"banger/internal/modules"
)

// wanted are the modules without which a guest does not reach its root and its
// host. Everything else it loads itself, from its root.
var wanted = []string{
	"virtio_mmio", // how the VMMs attach devices
	"virtio_pci",  // the same, where a VMM has a PCI bus
	"virtio_blk",
	"virtio_net",
	"virtio_rng",
	"ext4",
	"overlay",
}

// module is a module's file on the host.
type module struct {
	modules.Module
	dir string
}

func (m module) file() string { return m.Name + ".ko" }

func (m module) read() ([]byte, error) {
	content, err := modules.ReadFile(filepath.Join(m.dir, filepath.FromSlash(m.Path)))
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", m.Name, err)
	}
	return content, nil
}

// needed returns the modules to pack from a modules directory, in loading
// order; a kernel without one has everything built in.
func needed(dir string) ([]module, error) {
	if dir == "" {
		return nil, nil
	}
	set, err := modules.Open(dir)
	if err != nil {
		return nil, err
	}
	order, err := set.Needed(wanted...)
	if err != nil {
		return nil, fmt.Errorf("find the modules for the root: %w", err)
	}
	all := make([]module, len(order))
	for i, m := range order {
		all[i] = module{m, dir}
	}
	return all, nil
}
