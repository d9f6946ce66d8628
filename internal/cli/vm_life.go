package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/size"
	"banger/internal/vm"
)

func (a *app) vmCreateCommand() *cobra.Command {
	o := a.engine.VMDefaults()
	var yes bool
	c := &cobra.Command{
		Use:   "create [flags]",
		Short: "Create a VM without booting it, and print its name",
		Args:  noArgs,
	}
	a.addVMFlags(c.Flags(), &o)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "make the default image, where it is not there yet, without a question")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		d := a.newDisplay()
		defer d.end()
		v, err := a.engine.CreateVM(ctx, o, a.agree(yes), d.show)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.Out, v.Name)
		return err
	})
	return c
}

func (a *app) vmRenameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename NAME NEW_NAME",
		Short: "Give a VM that is stopped another name",
		Args:  cobra.ExactArgs(2),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.engine.RenameVM(ctx, args[0], args[1])
		}),
	}
}

func (a *app) vmSetCommand() *cobra.Command {
	var (
		change       engine.Change
		cpus         int
		memory, disk size.Size
		published    []ports.Spec
		volumes      = []vm.Volume{} // not nil: none is a change too
		noVolumes    bool
		mounts       = []vm.Mount{}
		noMounts     bool
		ttl, idle    vm.Duration
	)
	c := &cobra.Command{
		Use: "set [flags] NAME...", SuggestFor: []string{"update", "edit"},
		Short:   "Change the settings of VMs; what waits for their next start is said",
		Example: "  banger vm set --memory 4G --label stage=test dev",
		Args:    cobra.MinimumNArgs(1),
	}
	flags := c.Flags()
	flags.IntVar(&cpus, "cpus", 0, "number of CPUs")
	flags.VarP(&memory, "memory", "m", "memory, such as 512M or 4G")
	flags.Var(&disk, "disk", "size of the VM's own disk, which can only grow; the VM has to be stopped")
	flags.VarP((*portsFlag)(&published), "publish", "p", "ports of the host to open, in place of those before")
	flags.Var((*volumesFlag)(&volumes), "volume", "volumes that the VM has, NAME:/PATH[:ro], in place of those before")
	flags.BoolVar(&noVolumes, "no-volumes", false, "take the VM's volumes away; they stay")
	c.MarkFlagsMutuallyExclusive("volume", "no-volumes")
	flags.Var((*mountsFlag)(&mounts), "mount", "directories of the host that the guest has, in place of those before")
	flags.BoolVar(&noMounts, "no-mounts", false, "take the host's directories away")
	c.MarkFlagsMutuallyExclusive("mount", "no-mounts")
	flags.Var(&change.Give, "secret", "let the guest use NAME[=VALUE|=@FILE]@HOST[,HOST] as vm run does, beside its other secrets; of one that it has, a new value is in force at once; may be repeated")
	flags.StringArrayVar(&change.DropSecrets, "no-secret", nil, "take the secret of that name away; may be repeated")
	flags.VarP(&change.Labels, "label", "l", "note KEY=VALUE on the VM, or take KEY= away; may be repeated")
	flags.Var(&ttl, "ttl", "stop the VM this long after its start, such as 2h; 0s is never")
	flags.Var(&idle, "idle-timeout", "stop the VM after so long without use; 0s is never")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		mebibytes, bytes := int(memory>>20), int64(disk)
		for name, give := range map[string]func(){
			"cpus":         func() { change.CPUs = &cpus },
			"memory":       func() { change.MemoryMiB = &mebibytes },
			"disk":         func() { change.DiskBytes = &bytes },
			"publish":      func() { change.Ports = &published },
			"volume":       func() { change.Volumes = &volumes },
			"no-volumes":   func() { change.Volumes = &volumes },
			"mount":        func() { change.Mounts = &mounts },
			"no-mounts":    func() { change.Mounts = &mounts },
			"ttl":          func() { change.TTL = &ttl },
			"idle-timeout": func() { change.IdleTimeout = &idle },
		} {
			if flags.Changed(name) {
				give()
			}
		}
		if flags.NFlag() == 0 {
			return errors.New("no setting is given")
		}
		return each(ctx, a, args, func(ctx context.Context, name string) error {
			waits, err := a.engine.SetVM(ctx, name, change, a.newDisplay().show)
			if len(waits) > 0 && err == nil {
				a.say("vm %s runs, and gets its %s at its next start: banger vm restart %s", name, strings.Join(waits, ", "), name)
			}
			return err
		})
	})
	return c
}

func (a *app) vmPruneCommand() *cobra.Command {
	return a.pruneCommand("Remove the VMs that are stopped, and their disks", "Remove all VMs that are stopped, and what is on their disks?",
		func(ctx context.Context, labels vm.Labels) error {
			removed, err := a.engine.PruneVMs(ctx, labels)
			for _, name := range removed {
				fmt.Fprintln(a.Out, name)
			}
			return err
		})
}

// pruneCommand is one that removes what has certain labels, once that is agreed to.
func (a *app) pruneCommand(short, question string, prune func(context.Context, vm.Labels) error) *cobra.Command {
	var labels vm.Labels
	var force bool
	c := &cobra.Command{Use: "prune", Short: short, Args: noArgs}
	c.Flags().VarP(&labels, "label", "l", "only those that have the label KEY=VALUE, or KEY; may be repeated")
	c.Flags().BoolVarP(&force, "force", "f", false, "ask nothing on a terminal")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if !force {
			if err := a.confirm(ctx, question); err != nil {
				return err
			}
		}
		return prune(ctx, labels)
	})
	return c
}

// imagesCommand is docker's name for image list.
func (a *app) imagesCommand() *cobra.Command {
	c := a.imageListCommand()
	c.Use, c.Aliases = "images", nil
	c.Short += " (short for image list)"
	return c
}
