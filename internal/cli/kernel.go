package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/kernel"
	"banger/internal/size"
)

func (a *app) kernelCommand() *cobra.Command {
	return group("kernel", "Get and manage kernels",
		a.kernelListCommand(), a.kernelShowCommand(), a.kernelPullCommand(), a.kernelPushCommand(),
		a.kernelImportCommand(), a.kernelVerifyCommand(), a.kernelRemoveCommand(),
	)
}

func (a *app) kernelListCommand() *cobra.Command {
	var available bool
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the kernels that are here",
		Args:    noArgs,
	}
	c.Flags().BoolVar(&available, "available", false, "list those that the catalogs have instead")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if available {
			return a.listAvailableKernels(ctx)
		}
		kernels, err := a.engine.ListKernels()
		if err != nil {
			return err
		}
		return list(a, kernels, "NAME DISTRO ARCH VERSION SIZE SOURCE PULLED", func(k kernel.Kernel) []string {
			return []string{k.Name, k.Distro, k.Arch, k.KernelVersion, size.Size(k.Size()).String(), k.Source, age(k.PulledAt)}
		})
	})
	return c
}

// listAvailableKernels prints what the catalogs have.
func (a *app) listAvailableKernels(ctx context.Context) error {
	d := a.newDisplay()
	defer d.end()
	all, err := a.engine.AvailableKernels(ctx, d.show)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		a.say("the catalogs are empty; kernels also come from your distribution (banger kernel pull apt:linux-image-cloud-amd64), " +
			"from a file or directory (banger kernel import), and from banger's source (make kernel)")
	}
	return list(a, all, "NAME DISTRO ARCH VERSION SIZE STATE DESCRIPTION", func(k engine.AvailableKernel) []string {
		return []string{k.Name, k.Distro, k.Arch, k.KernelVersion, size.Size(k.SizeBytes).String(), k.State, k.Description}
	})
}

func (a *app) kernelShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Aliases: []string{"inspect"},
		Short:   "Show a kernel and who uses it",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			k, users, err := a.engine.Kernel(args[0])
			if err != nil {
				return err
			}
			return show(a, k, []field{
				{"Name", k.Name},
				{"Distro", k.Distro},
				{"Arch", k.Arch},
				{"Version", k.KernelVersion},
				{"Source", k.Source},
				{"Size", size.Size(k.Size()).String()},
				{"Pulled", age(k.PulledAt)},
				{"Directory", k.Dir},
				{"Needed by", strings.Join(users, ", ")},
			})
		}),
	}
}

func (a *app) kernelImportCommand() *cobra.Command {
	var o kernel.ImportOptions
	c := &cobra.Command{
		Use:   "import NAME --from DIR|FILE",
		Short: "Take a kernel from this machine",
		Long: "Take a kernel from this machine: a directory with vmlinux, optional initrd.img and optional modules/,\n" +
			"or a file that is a vmlinux or a bzImage, such as /boot/vmlinuz-*.",
		Args: cobra.ExactArgs(1),
	}
	flags := c.Flags()
	flags.StringVar(&o.From, "from", "", "directory or file to take it from")
	flags.StringVar(&o.Distro, "distro", "", "distribution that it is from (default local)")
	flags.StringVar(&o.Arch, "arch", "", "its architecture (default this machine's)")
	flags.StringVar(&o.Version, "version", "", "its version (default what the kernel says itself)")
	c.MarkFlagRequired("from")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		o.Name = args[0]
		k, err := a.engine.ImportKernel(ctx, o)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.Out, k.Name)
		return nil
	})
	return c
}

func (a *app) kernelVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [NAME...]",
		Short: "Check kernels' files against their manifests",
		RunE: a.run(func(ctx context.Context, args []string) error {
			all := len(args) == 0
			if all {
				kernels, err := a.engine.ListKernels()
				if err != nil {
					return err
				}
				for _, k := range kernels {
					args = append(args, k.Name)
				}
			}
			return each(ctx, a, args, func(ctx context.Context, name string) error {
				return a.verified(name, a.engine.VerifyKernel(ctx, name), all)
			})
		}),
	}
}

func (a *app) kernelRemoveCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove kernels",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "remove those that images or VMs need too")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return each(ctx, a, args, func(ctx context.Context, name string) error {
			return a.engine.RemoveKernel(name, force)
		})
	})
	return c
}
