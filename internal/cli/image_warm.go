package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/size"
)

func (a *app) imageWarmCommand() *cobra.Command {
	o := a.engine.TemplateDefaults()
	memory, disk := a.engine.Config.Memory, a.engine.Config.Disk
	maxDisk := a.engine.Config.Warm.MaxDisk
	var off bool
	c := &cobra.Command{
		Use:   "warm IMAGE",
		Short: "Boot a throw-away VM of an image, for others to go on from in place of booting",
		Args:  cobra.ExactArgs(1),
	}
	flags := c.Flags()
	flags.BoolVar(&off, "off", false, "remove what was made so, and make no more of it for this image")
	flags.StringVar(&o.Kernel, "kernel", "", "kernel of the VMs that it is for (default the image's)")
	flags.IntVar(&o.CPUs, "cpus", o.CPUs, "their number of CPUs")
	flags.Var(&memory, "memory", "their memory, such as 512M or 4G")
	flags.Var(&disk, "disk", "the size of their disks, such as 8G")
	flags.BoolVar(&o.HostLoopback, "host-loopback", false, "they reach the host's loopback")
	flags.StringVar(&o.VMM, "vmm", "", "VMM that runs them: auto, firecracker or qemu (default "+or(a.engine.Config.VMM, "auto")+")")
	flags.Var(&maxDisk, "max-disk", "what is kept for all images")
	addPolicyFlags(flags, &o.Policy)
	for _, shaping := range []string{"kernel", "cpus", "memory", "disk", "host-loopback", "vmm", "max-disk"} {
		c.MarkFlagsMutuallyExclusive("off", shaping)
	}
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if off {
			return a.engine.WarmOff(args[0])
		}
		if !a.engine.Config.Warm.Enabled {
			return withHint(errors.New("warm starts are switched off"), "set warm.enabled in the configuration, or BANGER_WARM")
		}
		d := a.newDisplay()
		defer d.end()
		o.MemoryMiB, o.DiskBytes = int(memory>>20), int64(disk)
		o.Image, a.engine.Config.Warm.MaxDisk = args[0], maxDisk
		t, err := a.engine.MakeTemplate(ctx, o, d.show)
		if err != nil {
			return err
		}
		if t.Present {
			a.say("image %s is warm already", o.Image)
		}
		fmt.Fprintln(a.Out, o.Image)
		return nil
	})
	return c
}

// warmWord says whether an image's VMs can go on from one that has booted.
func warmWord(i engine.ImageInfo) string {
	switch {
	case i.WarmOff:
		return "off"
	case len(i.Warm) > 0:
		return "yes"
	}
	return "no"
}

// warmWords says for which VMs that is so.
func warmWords(i engine.ImageInfo) string {
	var all []string
	for _, t := range i.Warm {
		all = append(all, fmt.Sprintf("%d CPUs and %s on %s, %s", t.VM.CPUs, memory(t.VM), t.VM.Kernel, size.Size(t.DiskUsage)))
	}
	if len(all) == 0 {
		return warmWord(i)
	}
	return strings.Join(all, "; ")
}
