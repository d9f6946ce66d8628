package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/project"
	"banger/internal/size"
	"banger/internal/vm"
)

type runOptions struct {
	spec     vm.VM
	memory   size.Size
	disk     size.Size
	path     string // a directory to copy, or ""
	guestDir string // where it goes, below the user's home
	first    bool   // the image is the configured one, and may have to be made
	yes      bool   // it may, without a question
	program  programOptions
}

func (a *app) vmRunCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run [flags] [PATH] [-- COMMAND...]",
		Short: "Create a VM, boot it and open a shell or run a command in it",
		Example: "  banger vm run --rm -- uname -a\n" +
			"  banger vm run --name dev .      # a copy of this directory, and a shell in it",
		Args: cobra.ArbitraryArgs,
	}
	flags := c.Flags()
	flags.StringVar(&o.spec.Image, "image", "", "image to boot (default from the configuration)")
	flags.StringVar(&o.spec.Kernel, "kernel", "", "kernel to boot (default the image's)")
	flags.StringVar(&o.spec.Name, "name", "", "the VM's name (default made up)")
	flags.IntVar(&o.spec.CPUs, "cpus", 0, "number of CPUs")
	flags.Var(&o.memory, "memory", "memory, such as 512M or 4G")
	flags.Var(&o.disk, "disk", "size of the VM's own disk, such as 8G")
	flags.BoolVar(&o.spec.Ephemeral, "rm", false, "remove the VM when the command or shell ends")
	flags.BoolVar(&o.spec.HostLoopback, "host-loopback", false, "let the guest reach the host's loopback as host.banger.internal")
	flags.StringVar(&o.spec.VMM, "vmm", "", "VMM to run it: auto, firecracker or qemu (default from the configuration)")
	flags.BoolVarP(&o.yes, "yes", "y", false, "make the default image, where it is not there yet, without a question")
	o.program.addFlags(flags)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if err := o.complete(a, c.ArgsLenAtDash(), args); err != nil {
			return err
		}
		return a.vmRun(ctx, o)
	})
	return c
}

// complete takes the arguments apart and fills in what no flag gave.
func (o *runOptions) complete(a *app, dash int, args []string) error {
	before := args
	if dash >= 0 {
		before, o.program.argv = args[:dash], args[dash:]
	}
	switch len(before) {
	case 0:
	case 1:
		if err := o.setPath(before[0]); err != nil {
			return err
		}
	default:
		return withHint(fmt.Errorf("%d paths were given: at most one is copied", len(before)),
			"put a command behind --, as in banger vm run -- %s", strings.Join(before, " "))
	}
	o.first = o.spec.Image == ""
	o.spec.Image = or(o.spec.Image, a.config.Image)
	if o.spec.CPUs == 0 && !o.program.flags.Changed("cpus") {
		o.spec.CPUs = a.config.CPUs
	}
	if !o.program.flags.Changed("memory") {
		o.memory = a.config.Memory
	}
	if !o.program.flags.Changed("disk") {
		o.disk = a.config.Disk
	}
	o.spec.MemoryMiB, o.spec.DiskBytes = int(o.memory>>20), int64(o.disk)
	if o.spec.Name == "" {
		o.spec.Name = madeUpName(o.path, o.spec.Image)
	}
	return nil
}

func (o *runOptions) setPath(path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	name := filepath.Base(absolute)
	if name == "/" {
		return errors.New("the root directory cannot be copied into a guest")
	}
	o.path, o.guestDir = absolute, name
	if !o.program.flags.Changed("workdir") {
		o.program.dir = name
	}
	return nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// madeUpName returns a name that tells what the VM is for and is not taken.
func madeUpName(path, image string) string {
	stem := or(path, image)
	stem = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(filepath.Base(stem)), "-"), "-")
	return or(stem[:min(len(stem), 40)], "vm") + "-" + strings.ToLower(rand.Text()[:5])
}

// vmRun makes a VM, boots it, and runs the shell or command in it. A VM that
// does not come up is removed again.
func (a *app) vmRun(ctx context.Context, o runOptions) error {
	var files []string
	var err error
	if o.path != "" {
		if files, err = project.Files(ctx, o.path); err != nil {
			return err
		}
	}
	if _, err := a.backend(o.spec.VMM); err != nil {
		return err
	}
	if o.first {
		if err := a.provideImage(ctx, o.yes); err != nil {
			return err
		}
	}
	if err := a.resolve(&o.spec); err != nil {
		return err
	}
	v, err := a.vms.Create(ctx, o.spec)
	if err != nil {
		return err
	}
	lease, err := a.start(ctx, v.Name)
	if err != nil {
		if removeErr := a.removeIfThere(v.Name); removeErr != nil {
			a.say("banger: %v", removeErr)
		}
		return err
	}
	err = a.copyAndRun(ctx, v.Name, files, o)
	if endErr := lease.End(); endErr != nil {
		a.say("banger: %v", endErr)
	}
	if !v.Ephemeral {
		a.say("vm %s is still running: banger vm ssh %s, banger vm rm --force %s", v.Name, v.Name, v.Name)
	}
	return err
}

func (a *app) copyAndRun(ctx context.Context, name string, files []string, o runOptions) error {
	program, err := a.inImage(name, o.program)
	if err != nil {
		return err
	}
	client, err := a.connect(ctx, name, program.user)
	if err != nil {
		return err
	}
	defer client.Close()
	if o.path != "" {
		if err := client.CopyDir(ctx, o.path, files, o.guestDir); err != nil {
			return err
		}
	}
	return a.runProgram(ctx, client, program.orEntrypoint())
}

// resolve checks that the image and the kernel of a new VM are there.
func (a *app) resolve(v *vm.VM) error {
	image, err := a.images.Get(v.Image)
	if err != nil {
		return err
	}
	v.Kernel = or(or(v.Kernel, image.KernelRef), a.config.Kernel)
	if v.Kernel == "" {
		return withHint(fmt.Errorf("image %q names no kernel", v.Image), "give one by --kernel")
	}
	_, err = a.kernels.Get(v.Kernel)
	return err
}
