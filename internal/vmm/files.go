package vmm

import (
	"debug/elf"
	"fmt"
	"os"
)

// CheckFiles says which of a VM's files no VMM could use: what VMMs say of them
// is for those who know their options.
func (c Config) CheckFiles() error {
	if err := checkKernel(c.Kernel); err != nil {
		return err
	}
	if err := checkOpen(c.Initrd, os.O_RDONLY); err != nil {
		return fmt.Errorf("open the initramfs: %w", err)
	}
	return c.CheckDisks()
}

// CheckDisks is CheckFiles for a guest that does not boot.
func (c Config) CheckDisks() error {
	for _, disk := range c.Disks {
		mode := os.O_RDWR
		if disk.ReadOnly {
			mode = os.O_RDONLY
		}
		if err := checkOpen(disk.Path, mode); err != nil {
			return fmt.Errorf("open a disk: %w", err)
		}
	}
	return nil
}

func checkOpen(path string, mode int) error {
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func checkKernel(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the kernel: %w", err)
	}
	defer f.Close()
	image, err := elf.NewFile(f)
	if err != nil || image.Machine != elf.EM_X86_64 || image.Type != elf.ET_EXEC {
		return fmt.Errorf("%s is not an uncompressed x86-64 kernel", path)
	}
	return nil
}
