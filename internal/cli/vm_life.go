package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

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
