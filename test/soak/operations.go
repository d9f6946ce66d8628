package main

import (
	"archive/tar"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"banger/internal/kernel/kerneltest"
)

// operation is a call of banger that needs no guest, and what is true once it has
// succeeded.
type operation struct {
	args    []string
	present []string // below the state directory
	absent  []string
	long    bool // it takes seconds
}

// names are few, so that operations get in each other's way.
var names = []string{"a", "b", "c"}

// base is a kernel that stays, which images name.
const base = "base"

// operation chooses one.
func (s *soak) operation() operation {
	name, other := pick(s, names), pick(s, names)
	kernel, image := "kernels/"+name, "images/"+name
	switch s.rand.IntN(18) {
	case 0, 1:
		return operation{args: []string{"kernel", "import", name, "--from", pick(s, []string{"vmlinux-1", "vmlinux-2"}), "--distro", "soak"}, present: []string{kernel}}
	case 2:
		return operation{args: []string{"kernel", "rm", "--force", name}, absent: []string{kernel}}
	case 3, 4:
		source := pick(s, []string{"tar:small.tar", "tar:large.tar", s.registry + "/small", s.registry + "/large"})
		return operation{args: []string{"image", "pull", source, "--name", name, "--kernel-ref", base}, present: []string{image}}
	case 5:
		return operation{args: []string{"image", "register", "--rootfs", "rootfs.ext4", "--name", name, "--kernel-ref", base}, present: []string{image}}
	case 6:
		return operation{args: []string{"image", "rm", name}, absent: []string{image}}
	case 7:
		if other != name {
			return operation{args: []string{"image", "rename", name, other}, absent: []string{image}, present: []string{"images/" + other}}
		}
		return operation{args: []string{"image", "verify", name}, present: []string{image}}
	case 8:
		return operation{args: []string{"image", "prune"}}
	case 9:
		return operation{args: []string{"catalog", "add", name, "--kernels", s.catalog, "--insecure"}}
	case 10:
		return operation{args: []string{"catalog", "rm", name}}
	case 11:
		if s.packages {
			return operation{args: []string{"kernel", "pull", "apt:" + packageName, "--name", name}, present: []string{kernel}, long: true}
		}
	case 12, 13:
		return s.volumeOperation(name)
	case 14:
		network := "networks/" + name
		if s.rand.IntN(2) == 0 {
			return operation{args: []string{"network", "rm", name}, absent: []string{network}}
		}
		return operation{args: []string{"network", "create", name}, present: []string{network}}
	case 15, 16:
		return s.vmOperation(name, other)
	}
	return operation{args: []string{"image", "export", name}, present: []string{image}}
}

func (s *soak) volumeOperation(name string) operation {
	volume := "volumes/" + name
	switch s.rand.IntN(3) {
	case 0:
		return operation{args: []string{"volume", "create", name, "--size", "32M"}, present: []string{volume}}
	case 1:
		return operation{args: []string{"volume", "set", name, "--size", "64M", "--label", "size=64"}, present: []string{volume}}
	}
	return operation{args: []string{"volume", "rm", name}, absent: []string{volume}}
}

// vmOperation is one of a VM that does not run.
func (s *soak) vmOperation(name, other string) operation {
	vm, snapshot := "vms/"+name, "snapshots/"+other
	switch s.rand.IntN(7) {
	case 0, 1:
		return operation{args: []string{"vm", "create", "--image", other, "--name", name, "--volume", other + ":/data"}, present: []string{vm, "volumes/" + other}}
	case 2:
		return operation{args: []string{"vm", "set", name, "--disk", "9G", "--label", "a=b", "--no-volumes"}, present: []string{vm}}
	case 3:
		return operation{args: []string{"vm", "snapshot", "create", name, other}, present: []string{vm, snapshot}}
	case 4:
		return operation{args: []string{"vm", "snapshot", "rm", other}, absent: []string{snapshot}}
	case 5:
		return operation{args: []string{"system", "prune", "--all", "--volumes", "--force"}}
	}
	return operation{args: []string{"vm", "rm", name}, absent: []string{vm}}
}

// holds is an error where what is true after o's success is not.
func (o operation) holds(h *home) error {
	for _, name := range o.present {
		if _, err := os.Stat(h.state(name)); err != nil {
			return fmt.Errorf("banger %s succeeded: %w", strings.Join(o.args, " "), err)
		}
	}
	for _, name := range o.absent {
		if _, err := os.Stat(h.state(name)); err == nil {
			return fmt.Errorf("banger %s succeeded, and %s is there", strings.Join(o.args, " "), name)
		}
	}
	return nil
}

// makeInputs makes two kernels, two tars and a file system.
func makeInputs(dir string) error {
	for i, release := range []string{"6.12.1", "6.12.2"} {
		text := append(kerneltest.Vmlinux(release), make([]byte, 1<<20)...)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("vmlinux-", i+1)), text, 0o600); err != nil {
			return err
		}
	}
	for name, files := range map[string]int{"small.tar": 3, "large.tar": 400} {
		if err := makeTar(filepath.Join(dir, name), files); err != nil {
			return err
		}
	}
	rootfs := filepath.Join(dir, "rootfs.ext4")
	out, err := exec.Command("/sbin/mke2fs", "-q", "-t", "ext4", rootfs, "4M").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("mke2fs: %w: %s", err, out)
	}
	return err
}

func makeTar(path string, files int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	content := make([]byte, 10_000)
	rand.NewChaCha8([32]byte{}).Read(content) // zeros would take no space
	for i := range files {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprint("file-", i), Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	return w.Close()
}
