package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/size"
	"banger/internal/vm"
)

func (a *app) vmSetCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "set [flags] NAME...", SuggestFor: []string{"update", "edit"},
		Short:   "Change the settings of VMs; what waits for their next start is said",
		Example: "  banger vm set --memory 4G --label stage=test dev",
		Args:    cobra.MinimumNArgs(1),
	}
	set := addSetFlags(c)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		change := set.given(c.Flags())
		if c.Flags().NFlag() == 0 {
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

// setFlags are the values of vm set's flags.
type setFlags struct {
	change       engine.Change // what needs no conversion
	cpus         int
	memory, disk size.Size
	published    []ports.Spec
	volumes      []vm.Volume
	noVolumes    bool
	mounts       []vm.Mount
	noMounts     bool
	ttl, idle    vm.Duration
}

func addSetFlags(c *cobra.Command) *setFlags {
	f := &setFlags{volumes: []vm.Volume{}, mounts: []vm.Mount{}} // not nil: none is a change too
	flags := c.Flags()
	flags.IntVar(&f.cpus, "cpus", 0, "number of CPUs")
	flags.VarP(&f.memory, "memory", "m", "memory, such as 512M or 4G")
	flags.Var(&f.disk, "disk", "size of the VM's own disk, which can only grow; the VM has to be stopped")
	flags.VarP((*portsFlag)(&f.published), "publish", "p", "ports of the host to open, in place of those before")
	flags.Var((*volumesFlag)(&f.volumes), "volume", "volumes that the VM has, NAME:/PATH[:ro], in place of those before")
	flags.BoolVar(&f.noVolumes, "no-volumes", false, "take the VM's volumes away; they stay")
	c.MarkFlagsMutuallyExclusive("volume", "no-volumes")
	flags.Var((*mountsFlag)(&f.mounts), "mount", "directories of the host that the guest has, in place of those before")
	flags.BoolVar(&f.noMounts, "no-mounts", false, "take the host's directories away")
	c.MarkFlagsMutuallyExclusive("mount", "no-mounts")
	flags.Var(&f.change.Give, "secret", "let the guest use NAME[=VALUE|=@FILE]@HOST[,HOST] as vm run does, beside its other secrets; of one that it has, a new value is in force at once; may be repeated")
	flags.StringArrayVar(&f.change.DropSecrets, "no-secret", nil, "take the secret of that name away; may be repeated")
	flags.VarP(&f.change.Labels, "label", "l", "note KEY=VALUE on the VM, or take KEY= away; may be repeated")
	flags.Var(&f.ttl, "ttl", "stop the VM this long after its start, such as 2h; 0s is never")
	flags.Var(&f.idle, "idle-timeout", "stop the VM after so long without use; 0s is never")
	return f
}

// given returns the change that the flags ask for which were given.
func (f *setFlags) given(flags *pflag.FlagSet) engine.Change {
	mebibytes, bytes := int(f.memory>>20), int64(f.disk)
	for name, give := range map[string]func(){
		"cpus":         func() { f.change.CPUs = &f.cpus },
		"memory":       func() { f.change.MemoryMiB = &mebibytes },
		"disk":         func() { f.change.DiskBytes = &bytes },
		"publish":      func() { f.change.Ports = &f.published },
		"volume":       func() { f.change.Volumes = &f.volumes },
		"no-volumes":   func() { f.change.Volumes = &f.volumes },
		"mount":        func() { f.change.Mounts = &f.mounts },
		"no-mounts":    func() { f.change.Mounts = &f.mounts },
		"ttl":          func() { f.change.TTL = &f.ttl },
		"idle-timeout": func() { f.change.IdleTimeout = &f.idle },
	} {
		if flags.Changed(name) {
			give()
		}
	}
	return f.change
}
