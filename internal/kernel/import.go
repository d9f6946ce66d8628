package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/ref"
	"banger/internal/statedir"
)

// ImportOptions says what to import.
type ImportOptions struct {
	Name    string
	From    string // a directory with vmlinux, initrd.img and modules/, or a kernel's file
	Distro  string // "" is "local"
	Arch    string // "" is Arch
	Version string // "" is what the kernel says itself
}

// Import takes a kernel from this machine's files.
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
	if err := copyIn(ctx, stage, o.From); err != nil {
		return Kernel{}, fmt.Errorf("import %s: %w", o.From, err)
	}
	k, err := s.adopt(ctx, stage, m)
	if err != nil {
		return Kernel{}, fmt.Errorf("import %s: %w", o.From, err)
	}
	return k, nil
}

// checkNew tells whether a kernel may be made of that name.
func (s *Store) checkNew(name string) error {
	if err := ref.CheckName("kernel", name); err != nil {
		return err
	}
	if s.tree.Exists(name) {
		return fmt.Errorf("kernel %q %w", name, statedir.ErrExist)
	}
	return nil
}

func copyIn(ctx context.Context, stage *statedir.Stage, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		_, err := writeVmlinux(from, stage.Path(statedir.Vmlinux))
		return err
	}
	if _, err := writeVmlinux(filepath.Join(from, statedir.Vmlinux), stage.Path(statedir.Vmlinux)); err != nil {
		return err
	}
	err = copyFile(filepath.Join(from, statedir.Initrd), stage.Path(statedir.Initrd))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	modules := filepath.Join(from, statedir.Modules)
	if _, err := os.Stat(modules); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return copyTree(ctx, modules, stage.Path(statedir.Modules))
}

// copyTree copies directories and regular files; the build and source links
// that a modules directory may have lead nowhere in a guest.
func copyTree(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o755)
		case d.Type().IsRegular():
			return copyFile(path, filepath.Join(to, relative))
		}
		return nil
	})
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeTo(to, in)
}

func writeTo(path string, content io.Reader) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, content)
	return err
}
