package engine

import (
	"fmt"
	"slices"
	"strings"

	"banger/internal/vm"
)

// InUseError says that something is still in use, and was not removed.
type InUseError struct {
	Kind, Name string // "image", "kernel", "volume" or "network", and which
	Users      []string
}

func (e *InUseError) Error() string {
	verb := "used"
	if e.Kind == "kernel" {
		verb = "needed"
	}
	return fmt.Sprintf("%s %q is %s by %s", e.Kind, e.Name, verb, strings.Join(e.Users, ", "))
}

// Snapshots reports whether all users are snapshots.
func (e *InUseError) Snapshots() bool {
	return !slices.ContainsFunc(e.Users, func(user string) bool { return !strings.HasPrefix(user, "snapshot ") })
}

// imageUsers names the VMs that use an image.
func (e *Engine) imageUsers(image string) ([]string, error) {
	vms, err := e.vms.List()
	var users []string
	for _, v := range vms {
		if v.Image == image {
			users = append(users, v.Name)
		}
	}
	return users, err
}

// unread marks a user that cannot be read, and so may use anything.
const unread = " (which cannot be read)"

// vmsThat names the VMs for which are holds, and those that cannot be read.
func vmsThat(are func(vm.VM) bool, vms []vm.VM) (users []string) {
	for _, v := range vms {
		switch {
		case v.Damaged():
			users = append(users, "vm "+v.Name+unread)
		case are(v):
			users = append(users, "vm "+v.Name)
		}
	}
	return users
}

// users names the VMs and the snapshots for whose VM are holds, and those that cannot be
// read.
func (e *Engine) users(are func(vm.VM) bool) ([]string, error) {
	vms, err := e.vms.List()
	if err != nil {
		return nil, err
	}
	snapshots, err := e.snapshots.List()
	users := vmsThat(are, vms)
	for _, s := range snapshots {
		switch {
		case s.VM.Damaged():
			users = append(users, "snapshot "+s.Name+unread)
		case are(s.VM):
			users = append(users, "snapshot "+s.Name)
		}
	}
	return users, err
}

// imageUnused returns an *InUseError if a VM, or a snapshot of one, uses the image.
func (e *Engine) imageUnused(name string) error {
	users, err := e.users(func(v vm.VM) bool { return v.Image == name })
	return inUse("image", name, users, err)
}

// kernelUsers names what needs a kernel: images, and VMs.
func (e *Engine) kernelUsers(kernel string) ([]string, error) {
	images, err := e.images.List()
	if err != nil {
		return nil, err
	}
	var users []string
	for _, i := range images {
		switch {
		case i.Digest == "":
			users = append(users, "image "+i.Name+unread)
		case i.KernelRef == kernel:
			users = append(users, "image "+i.Name)
		}
	}
	others, err := e.users(func(v vm.VM) bool { return v.Kernel == kernel })
	return append(users, others...), err
}

// kernelUnused returns an *InUseError if something needs the kernel.
func (e *Engine) kernelUnused(kernel string) error {
	users, err := e.kernelUsers(kernel)
	return inUse("kernel", kernel, users, err)
}

// inUse returns err, or else an *InUseError if there are users.
func inUse(kind, name string, users []string, err error) error {
	if err != nil || len(users) == 0 {
		return err
	}
	return &InUseError{kind, name, users}
}
