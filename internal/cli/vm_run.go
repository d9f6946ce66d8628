package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
)

type runOptions struct {
	engine.RunOptions
	program programOptions
	yes     bool // the configured image may be made without a question
}

func (a *app) vmRunCommand() *cobra.Command {
	var o runOptions
	o.VM = a.engine.VMDefaults()
	c := &cobra.Command{
		Use:   "run [flags] [PATH] [-- COMMAND...]",
		Short: "Create a VM, boot it and open a shell or run a command in it",
		Example: "  banger vm run --rm -- uname -a\n" +
			"  banger vm run --name dev .      # a copy of this directory, and a shell in it",
		Args: cobra.ArbitraryArgs,
	}
	flags := c.Flags()
	flags.StringVar(&o.VM.Image, "image", "", "image to boot (default "+a.engine.Config.Image+")")
	flags.StringVar(&o.VM.Kernel, "kernel", "", "kernel to boot (default the image's)")
	flags.StringVar(&o.VM.Name, "name", "", "the VM's name (default made up)")
	flags.IntVar(&o.VM.CPUs, "cpus", o.VM.CPUs, "number of CPUs")
	flags.Var(&o.VM.Memory, "memory", "memory, such as 512M or 4G")
	flags.Var(&o.VM.Disk, "disk", "size of the VM's own disk, such as 8G")
	flags.BoolVar(&o.VM.Ephemeral, "rm", false, "remove the VM when the command or shell ends")
	flags.BoolVar(&o.VM.HostLoopback, "host-loopback", false, "let the guest reach the host's loopback as host.banger.internal")
	addPolicyFlags(flags, &o.VM.Policy)
	flags.IntVar(&o.VM.Connections, "max-connections", o.VM.Connections, "connections that the guest may have with the outside at a time")
	flags.VarP((*portsFlag)(&o.VM.Ports), "publish", "p", "open a port of the host: [HOST_IP:][HOST_PORT:]GUEST_PORT[/udp]; may be repeated")
	flags.StringVar(&o.VM.VMM, "vmm", "", "VMM to run it: auto, firecracker or qemu (default "+or(a.engine.Config.VMM, "auto")+")")
	flags.BoolVarP(&o.yes, "yes", "y", false, "make the default image, where it is not there yet, without a question")
	o.program.addFlags(flags)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if err := o.takeApart(c.ArgsLenAtDash(), args); err != nil {
			return err
		}
		return a.vmRun(ctx, o)
	})
	return c
}

// takeApart finds the directory and the command in the arguments.
func (o *runOptions) takeApart(dash int, args []string) error {
	before := args
	if dash >= 0 {
		before, o.program.Argv = args[:dash], args[dash:]
	}
	switch len(before) {
	case 0:
	case 1:
		o.Dir = before[0]
	default:
		return withHint(fmt.Errorf("%d paths were given: at most one is copied", len(before)),
			"put a command behind --, as in banger vm run -- %s", strings.Join(before, " "))
	}
	return nil
}

func (a *app) vmRun(ctx context.Context, o runOptions) (err error) {
	if o.Program, err = a.program(o.program); err != nil {
		return err
	}
	d := a.newDisplay()
	defer d.end()
	o.Agree, o.Events = a.agree(o.yes), d.show
	run, err := a.engine.RunVM(ctx, o.RunOptions)
	if run.Kept {
		name := run.VM.Name
		a.say("vm %s is still running: banger vm ssh %s, banger vm rm --force %s", name, name, name)
	}
	return ended(run.Status, err)
}
