package cli

import (
	"fmt"
	"strings"
)

// vmsOf names the VMs that use an image.
func (a *app) vmsOf(image string) ([]string, error) {
	vms, err := a.vms.List()
	var users []string
	for _, v := range vms {
		if v.Image == image {
			users = append(users, v.Name)
		}
	}
	return users, err
}

// imageUnused is an error where a VM uses the image.
func (a *app) imageUnused(name string) error {
	users, err := a.vmsOf(name)
	if err == nil && len(users) > 0 {
		err = withHint(fmt.Errorf("image %q is used by vm %s", name, strings.Join(users, ", ")), "banger vm rm removes a vm")
	}
	return err
}

// kernelUsers names what needs a kernel: images, and VMs.
func (a *app) kernelUsers(kernel string) ([]string, error) {
	images, err := a.images.List()
	if err != nil {
		return nil, err
	}
	vms, err := a.vms.List()
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

// kernelUnused is an error where something needs the kernel.
func (a *app) kernelUnused(kernel string) error {
	users, err := a.kernelUsers(kernel)
	if err == nil && len(users) > 0 {
		err = withHint(fmt.Errorf("kernel %q is needed by %s", kernel, strings.Join(users, ", ")),
			"--force removes it all the same")
	}
	return err
}
