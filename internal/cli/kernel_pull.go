package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/fetch"
	"banger/internal/kernel"
	"banger/internal/kernelcat"
	"banger/internal/ref"
	"banger/internal/size"
)

// kernelPullOptions are what the user says of a pull.
type kernelPullOptions struct {
	name          string
	update, force bool
	all           bool
}

func (a *app) kernelPullCommand() *cobra.Command {
	var o kernelPullOptions
	c := &cobra.Command{
		Use:   "pull NAME|apt:PACKAGE",
		Short: "Get a kernel",
		Long: "Get a kernel: one of a catalog's by its name, or one that is a package of this machine's distribution.\n" +
			"A kernel that is here and whole is not pulled again.",
		Example: "  banger kernel list --available\n" +
			"  banger kernel pull generic-6.12\n" +
			"  banger kernel pull apt:linux-image-cloud-amd64\n" +
			"  banger kernel pull --update --all",
		Args: cobra.MaximumNArgs(1),
	}
	c.Flags().StringVar(&o.name, "name", "", "the name of a package's kernel (default <distro>-<major.minor>)")
	c.Flags().BoolVar(&o.update, "update", false, "replace what an older bundle of the catalog held")
	c.Flags().BoolVar(&o.all, "all", false, "with --update, do so for every kernel that is here")
	c.Flags().BoolVarP(&o.force, "force", "f", false, "replace whatever has the name; running VMs keep theirs")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		switch {
		case o.all && (!o.update || len(args) > 0):
			return errors.New("--all goes with --update and without a name")
		case o.all:
			return a.updateKernels(ctx, o)
		case len(args) == 0:
			return withHint(errors.New("no kernel is named"), "banger kernel list --available shows those there are")
		}
		source, err := ref.ParseSource(args[0])
		if err != nil {
			return err
		}
		switch {
		case source.Transport == ref.Apt:
			return a.pullKernelPackage(ctx, source.Rest, o.name)
		case source.Transport != ref.Catalog:
			return withHint(fmt.Errorf("%q names no source of kernels", args[0]), "such as generic-6.12 or apt:linux-image-cloud-amd64")
		case o.name != "":
			return errors.New("--name is for packages: a catalog's kernel has its name")
		}
		return a.pullKernel(ctx, source.Rest, o)
	})
	return c
}

func (a *app) pullKernelPackage(ctx context.Context, pkg, name string) error {
	k, err := a.kernels.PullApt(ctx, kernel.AptOptions{
		Package: pkg, Name: name, Dir: a.dirs.AptDir(),
		Say: func(text string) { a.say("%s", text) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(a.Out, k.Name)
	return nil
}

// pullKernel gets a kernel of a catalog by its name.
func (a *app) pullKernel(ctx context.Context, name string, o kernelPullOptions) error {
	offer, err := a.findKernel(ctx, name)
	if err != nil {
		have, missing := a.kernels.Get(name)
		if missing != nil || o.force || o.update || !errors.As(err, new(*kernelcat.NotFoundError)) {
			return err
		}
		a.say("kernel %s is here already, from %s; no catalog has it", name, have.Source)
		fmt.Fprintln(a.Out, name)
		return nil
	}
	return a.pullOffer(ctx, offer, o)
}

func (a *app) pullOffer(ctx context.Context, offer kernelOffer, o kernelPullOptions) error {
	p := a.newProgress()
	defer p.end()
	e, began := offer.Entry, time.Now()
	k, outcome, err := a.kernels.PullCatalog(ctx, kernel.PullOptions{
		Entry: e, Update: o.update, Force: o.force,
		Fetch:    a.fetchOptions(offer.Insecure),
		Progress: func(_ string, done, total int64) { p.report("pulling kernel "+e.Name, done, total) },
	})
	p.end()
	var taken *kernel.TakenError
	switch {
	case errors.As(err, &taken) && taken.Updatable():
		a.say("kernel %s is here in version %s, and the catalog has %s: banger kernel pull --update %s",
			e.Name, taken.Have.KernelVersion, e.KernelVersion, e.Name)
	case err != nil:
		return err
	case outcome == kernel.Present:
		a.say("kernel %s is here already: Linux %s", k.Name, k.KernelVersion)
	default:
		a.say("pulled kernel %s: Linux %s, %s in %.1f s", k.Name, k.KernelVersion, size.Size(e.SizeBytes), time.Since(began).Seconds())
	}
	fmt.Fprintln(a.Out, e.Name)
	return nil
}

// updateKernels pulls anew what the catalogs have another bundle of.
func (a *app) updateKernels(ctx context.Context, o kernelPullOptions) error {
	set, err := a.kernelCatalogs(ctx)
	if err != nil {
		return err
	}
	kernels, err := a.kernels.List()
	if err != nil {
		return err
	}
	offers := map[string]kernelOffer{}
	var names []string
	for _, k := range kernels {
		offer, err := set.Find(k.Name, kernel.Arch)
		if err == nil && k.BundleDigest != "" {
			offers[k.Name], names = offer, append(names, k.Name)
		}
	}
	return a.each(ctx, names, func(ctx context.Context, name string) error {
		return a.pullOffer(ctx, offers[name], o)
	})
}

func (a *app) fetchOptions(insecure bool) fetch.Options {
	return fetch.Options{
		UserAgent: "banger/" + Version, Insecure: insecure,
		Say: func(text string) { a.say("%s", text) },
	}
}
