package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/statedir"
)

// ImportOptions says what to import.
type ImportOptions struct {
	Name    string
	From    string // a directory with vmlinux, initrd.img and modules/, or a kernel's file
	Distro  string // "" is "local"
	Arch    string // "" is Arch
	Version string // what the kernel has to say that it is; "" is anything
}

// Import takes a kernel from this machine's files. The error is
// statedir.ErrExist where the name is taken.
func (s *Store) Import(ctx context.Context, o ImportOptions) (Kernel, error) {
	if err := s.checkNew(o.Name); err != nil {
		return Kernel{}, err
	}
	m := Manifest{Name: o.Name, Distro: o.Distro, Arch: o.Arch, KernelVersion: o.Version, Source: o.From}
	if m.Distro == "" {
		m.Distro = "local"
	}
	if m.Arch == "" {
		m.Arch = Arch
	}
	if m.Arch != Arch {
		return Kernel{}, fmt.Errorf("kernels for %s cannot be booted: only %s ones can", m.Arch, Arch)
	}
	stage, err := s.tree.Stage()
	if err != nil {
		return Kernel{}, err
	}
	defer stage.Discard()
	var k Kernel
	if err = copyIn(ctx, stage, o.From); err == nil {
		k, err = s.Adopt(ctx, stage, m)
	}
	if err != nil {
		return Kernel{}, fmt.Errorf("import %s: %w", o.From, err)
	}
	return k, nil
}

// copyIn copies what from, a kernel's file or directory, holds to the stage.
func copyIn(ctx context.Context, stage *statedir.Stage, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return unwrapPath(err)
	}
	vmlinux := stage.Path(statedir.Vmlinux)
	if !info.IsDir() {
		return writeVmlinux(ctx, from, vmlinux)
	}
	if err := writeVmlinux(ctx, filepath.Join(from, statedir.Vmlinux), vmlinux); err != nil {
		return err
	}
	err = copyFile(ctx, filepath.Join(from, statedir.Initrd), stage.Path(statedir.Initrd))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// It may be a link to the modules of the host's kernel.
	modules, err := filepath.EvalSymlinks(filepath.Join(from, statedir.Modules))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return copyTree(ctx, modules, stage.Path(statedir.Modules))
}

// unwrapPath takes the path out of an error that is going to name it.
func unwrapPath(err error) error {
	var fault *fs.PathError
	if errors.As(err, &fault) {
		return fault.Err
	}
	return err
}
