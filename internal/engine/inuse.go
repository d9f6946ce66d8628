package engine

import (
	"fmt"
	"slices"
	"strings"

	"banger/internal/vm"
)

// InUseError says that something is needed by what is here, and stays.
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

// Snapshots reports whether snapshots alone are the users.
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

// users names the VMs, and the snapshots of VMs, that are so.
func (e *Engine) users(are func(vm.VM) bool) ([]string, error) {
	vms, err := e.vms.List()
	if err != nil {
		return nil, err
	}
	snapshots, err := e.snapshots.List()
	var users []string
	for _, v := range vms {
		if are(v) {
			users = append(users, "vm "+v.Name)
		}
	}
	for _, s := range snapshots {
		if are(s.VM) {
			users = append(users, "snapshot "+s.Name)
		}
	}
	return users, err
}

// imageUnused is an *InUseError where a VM, or a snapshot of one, uses the image.
func (e *Engine) imageUnused(name string) error {
	users, err := e.users(func(v vm.VM) bool { return v.Image == name })
	if err == nil && len(users) > 0 {
		err = &InUseError{"image", name, users}
	}
	return err
}

// kernelUsers names what needs a kernel: images, and VMs.
func (e *Engine) kernelUsers(kernel string) ([]string, error) {
	images, err := e.images.List()
	if err != nil {
		return nil, err
	}
	var users []string
	for _, i := range images {
		if i.KernelRef == kernel {
			users = append(users, "image "+i.Name)
		}
	}
	others, err := e.users(func(v vm.VM) bool { return v.Kernel == kernel })
	return append(users, others...), err
}

// kernelUnused is an *InUseError where something needs the kernel.
func (e *Engine) kernelUnused(kernel string) error {
	users, err := e.kernelUsers(kernel)
	if err == nil && len(users) > 0 {
		err = &InUseError{"kernel", kernel, users}
	}
	return err
}
