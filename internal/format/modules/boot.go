package modules

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"banger/internal/smallfile"
)

// atBoot are the modules without which a guest does not reach its root and its
// host. Everything else it loads itself, from its root.
var atBoot = []string{
	"virtio_mmio", // how the VMMs attach devices
	"virtio_pci",  // the same, where a VMM has a PCI bus
	"virtio_blk",
	"virtio_net",
	"virtio_rng",
	"ext4",
	"dm_snapshot", // the root is made of image and disk by it
}

// bootList is the file that lists, by their paths and in loading order, the
// modules for atBoot, so that a boot need not look them up.
const bootList = "modules.boot"

// Boot returns the modules below dir that a guest loads to boot, in loading
// order: those that Index found the kernel to have as modules, and what they
// depend on. None of their files is compressed.
func Boot(dir string) ([]Module, error) {
	list, err := smallfile.Read(filepath.Join(dir, bootList), maxList)
	if err != nil {
		return nil, fmt.Errorf("list the modules to boot with: %w", err)
	}
	var boot []Module
	for line := range strings.Lines(string(list)) {
		file := strings.TrimSpace(line)
		name, ok := nameOf(file)
		if !ok || !filepath.IsLocal(file) {
			return nil, fmt.Errorf("list the modules to boot with: %q in %s is no module", file, bootList)
		}
		boot = append(boot, Module{name, file})
	}
	return boot, nil
}

func listOf(boot []*described) []byte {
	var list strings.Builder
	for _, m := range boot {
		list.WriteString(m.Path + "\n")
	}
	return []byte(list.String())
}

// unpack replaces the files of modules that are compressed: unpacking them once
// saves it at every boot.
func unpack(dir string, all []*described) error {
	for _, m := range all {
		packed := filepath.Join(dir, filepath.FromSlash(m.Path))
		if is, err := isPacked(packed); err != nil || !is {
			if err != nil {
				return fmt.Errorf("module %s: %w", m.Path, err)
			}
			continue
		}
		data, err := content(packed)
		if err != nil {
			return fmt.Errorf("module %s: %w", m.Path, err)
		}
		if strings.HasSuffix(m.Path, ".ko") { // which it is called for all that
			if err := replace(dir, m.Path, data); err != nil {
				return err
			}
			continue
		}
		m.Path = strings.TrimSuffix(m.Path, path.Ext(m.Path))
		if err := replace(dir, m.Path, data); err != nil {
			return err
		}
		if err := os.Remove(packed); err != nil {
			return err
		}
	}
	return nil
}
