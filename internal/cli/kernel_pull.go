package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"banger/internal/engine"
)

func (a *app) kernelPullCommand() *cobra.Command {
	var o engine.PullKernelOptions
	var all bool
	c := &cobra.Command{
		Use:   "pull NAME|apt:PACKAGE|oci://REFERENCE",
		Short: "Get a kernel",
		Long: "Get a kernel: one of a catalog's by its name, one that is a package of this machine's distribution, or one\n" +
			"that banger kernel push put into a registry.\n" +
			"A kernel that is here and whole is not pulled again.",
		Example: "  banger kernel list --available\n" +
			"  banger kernel pull generic-6.12\n" +
			"  banger kernel pull apt:linux-image-cloud-amd64\n" +
			"  banger kernel pull oci://ghcr.io/org/mine:v1\n" +
			"  banger kernel pull --update --all",
		Args: cobra.MaximumNArgs(1),
	}
	c.Flags().StringVar(&o.Name, "name", "", "the name of a package's kernel (default <distro>-<major.minor>), or of a registry's (default that which it was pushed by)")
	c.Flags().BoolVar(&o.Insecure, "insecure", false, "speak plain http to a registry that knows no https")
	cosignKeyFlag(c, &o.CosignKey)
	c.Flags().BoolVar(&o.Update, "update", false, "replace what an older bundle of the catalog held")
	c.Flags().BoolVar(&all, "all", false, "with --update, do so for every kernel that is here")
	c.Flags().BoolVarP(&o.Force, "force", "f", false, "replace whatever has the name; running VMs keep theirs")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		switch {
		case all && (!o.Update || len(args) > 0):
			return errors.New("--all goes with --update and without a name")
		case all:
			return a.updateKernels(ctx, o)
		case len(args) == 0:
			return withHint(errors.New("no kernel is named"), "banger kernel list --available shows those there are")
		}
		o.Reference = args[0]
		return a.pullKernel(ctx, o)
	})
	return c
}

func (a *app) pullKernel(ctx context.Context, o engine.PullKernelOptions) error {
	d := a.newDisplay()
	defer d.end()
	o.Events = d.show
	pull, err := a.engine.PullKernel(ctx, o)
	if err != nil {
		return err
	}
	d.show(pull)
	fmt.Fprintln(a.Out, pull.Name)
	return nil
}

// updateKernels pulls anew what the catalogs have another bundle of.
func (a *app) updateKernels(ctx context.Context, o engine.PullKernelOptions) error {
	offers, err := a.engine.KernelUpdates(ctx, a.newDisplay().show)
	if err != nil {
		return err
	}
	return each(ctx, a, offers, func(ctx context.Context, offer engine.KernelOffer) error {
		o.Offer = &offer
		return a.pullKernel(ctx, o)
	})
}
