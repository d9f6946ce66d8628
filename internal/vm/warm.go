package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/statedir"
)

// GoOnFrom makes a VM that has not been started a copy of another, which goes on
// at its next start. Only the holder of the VM's lock may call it, and has to have
// noted before that the VM is a copy: see VM.Copied.
func (s *Store) GoOnFrom(ctx context.Context, name string, o Origin) error {
	err := statedir.ReplaceFile(s.Path(name, statedir.Disk), func(draft string) error {
		return statedir.CopyFile(ctx, draft, filepath.Join(o.Dir, statedir.Disk))
	})
	if err == nil {
		err = o.link(ctx, s.Path(name, statedir.RestoreDir))
	}
	if err != nil {
		return fmt.Errorf("make vm %q of another: %w", name, err)
	}
	return nil
}

// Blank takes back what GoOnFrom did. rootfs has the VM's image.
func (s *Store) Blank(v VM, rootfs string) error {
	if err := os.RemoveAll(s.Path(v.Name, statedir.RestoreDir)); err != nil {
		return err
	}
	err := statedir.ReplaceFile(s.Path(v.Name, statedir.Disk), func(draft string) error {
		return makeDisk(draft, rootfs, v.DiskBytes)
	})
	if err != nil {
		return fmt.Errorf("make the disk of vm %q: %w", v.Name, err)
	}
	return nil
}
