package engine

import (
	"fmt"
	"strings"
)

// InUseError says that something is needed by what is here, and stays.
type InUseError struct {
	Kind, Name string // "image" or "kernel", and which
	Users      []string
}

func (e *InUseError) Error() string {
	verb := "used"
	if e.Kind == "kernel" {
		verb = "needed"
	}
	return fmt.Sprintf("%s %q is %s by %s", e.Kind, e.Name, verb, strings.Join(e.Users, ", "))
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

// imageUnused is an *InUseError where a VM uses the image.
func (e *Engine) imageUnused(name string) error {
	users, err := e.imageUsers(name)
	if err == nil && len(users) > 0 {
		for i := range users {
			users[i] = "vm " + users[i]
		}
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
	vms, err := e.vms.List()
	var users []string
	for _, i := range images {
		if i.KernelRef == kernel {
			users = append(users, "image "+i.Name)
		}
	}
	for _, v := range vms {
		if v.Kernel == kernel {
			users = append(users, "vm "+v.Name)
		}
	}
	return users, err
}

// kernelUnused is an *InUseError where something needs the kernel.
func (e *Engine) kernelUnused(kernel string) error {
	users, err := e.kernelUsers(kernel)
	if err == nil && len(users) > 0 {
		err = &InUseError{"kernel", kernel, users}
	}
	return err
}
