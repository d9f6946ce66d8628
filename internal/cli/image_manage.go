package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/size"
)

func (a *app) imageVerifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify [NAME...]",
		Short: "Check images' file systems against their manifests",
	}
	c.RunE = a.run(func(ctx context.Context, names []string) error {
		all := len(names) == 0
		if all {
			images, err := a.engine.ListImages()
			if err != nil {
				return err
			}
			for _, i := range images {
				names = append(names, i.Name)
			}
		}
		return each(ctx, a, names, func(ctx context.Context, name string) error {
			return a.verified(name, a.engine.VerifyImage(ctx, name), all)
		})
	})
	return c
}

// verified says how a check ended. Of all that are there, one may go meanwhile.
func (a *app) verified(name string, err error, all bool) error {
	switch {
	case all && engine.Gone(err):
		a.say("%s: removed meanwhile", name)
	case err != nil:
		return err
	default:
		fmt.Fprintf(a.Out, "%s: whole\n", name)
	}
	return nil
}

func (a *app) imageRenameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Give an image that no VM uses another name",
		Args:  cobra.ExactArgs(2),
		RunE: a.run(func(_ context.Context, args []string) error {
			return a.engine.RenameImage(args[0], args[1])
		}),
	}
}

func (a *app) imageExportCommand() *cobra.Command {
	var o imagemgr.ExportOptions
	c := &cobra.Command{
		Use:   "export NAME",
		Short: "Write an image as a file system, a tar or an OCI layout",
		Example: "  banger image export debian | docker import - debian\n" +
			"  banger image export debian --format ext4 --output rootfs.ext4\n" +
			"  banger image export debian --format oci --output layout",
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&o.Format, "format", imagemgr.FormatTar, "ext4, tar or oci")
	c.Flags().StringVarP(&o.Path, "output", "o", "", "file or, for oci, directory to make (default standard output)")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		o.Name, o.Out = args[0], a.raw.Out
		if o.Path == "" && o.Format != imagemgr.FormatOCI && a.printsToTerminal() {
			return withHint(errors.New("an image is nothing for a terminal"), "--output names a file")
		}
		return a.engine.ExportImage(ctx, o)
	})
	return c
}

// printsToTerminal reports whether results are for a person's eyes.
func (a *app) printsToTerminal() bool {
	f, ok := a.raw.Out.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) imageRemoveCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"}, SuggestFor: []string{"rmi"},
		Short: "Remove images that no VM uses",
		Args:  cobra.MinimumNArgs(1),
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "remove those in use too; their VMs will not start again")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return each(ctx, a, args, func(_ context.Context, name string) error {
			return a.engine.RemoveImage(name, force)
		})
	})
	return c
}

func (a *app) imagePruneCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "prune",
		Short: "Remove what was fetched from registries and is kept for the next time",
		Args:  noArgs,
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "remove the images that no VM uses, too")
	c.RunE = a.run(func(context.Context, []string) error {
		pruned, err := a.engine.PruneImages(all)
		for _, name := range pruned.Images {
			fmt.Fprintln(a.Out, name)
		}
		a.say("freed %s", size.Size(pruned.Freed))
		return err
	})
	return c
}
