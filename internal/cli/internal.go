package cli

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
)

// internalCommand groups what banger's own scripts and banger itself call.
func (a *app) internalCommand() *cobra.Command {
	c := group(engine.InternalCommand, "What the scripts that publish bundles call",
		a.packKernelCommand(), a.packImageCommand(), a.patchCatalogCommand(), a.makerCommand(), jailCommand(), a.shareCommand())
	c.Hidden = true
	return c
}

func (a *app) packKernelCommand() *cobra.Command {
	return packCommand(a, "kernel", func(ctx context.Context, name string, w io.Writer) (kernel.Packed, error) {
		return a.engine.PackKernel(ctx, name, w)
	})
}

func (a *app) packImageCommand() *cobra.Command {
	return packCommand(a, "image", func(ctx context.Context, name string, w io.Writer) (imagemgr.Packed, error) {
		return a.engine.PackImage(ctx, name, w)
	})
}

func packCommand[P any](a *app, kind string, pack func(context.Context, string, io.Writer) (P, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "pack-" + kind + " NAME FILE",
		Short: "Write a bundle, and print its entry's values",
		Args:  cobra.ExactArgs(2),
		RunE: a.run(func(ctx context.Context, args []string) error {
			f, err := os.Create(args[1])
			if err != nil {
				return err
			}
			defer f.Close()
			packed, err := pack(ctx, args[0], f)
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				return err
			}
			return printJSON(a.Out, packed)
		}),
	}
}

func (a *app) patchCatalogCommand() *cobra.Command {
	var p engine.CatalogPatch
	c := &cobra.Command{
		Use:   "patch-catalog --kind KIND --file FILE --name NAME --arch ARCH",
		Short: "Add an entry to a catalog, change one, or remove one",
		Args:  noArgs,
	}
	flags := c.Flags()
	flags.StringVar(&p.Kind, "kind", "", "what the catalog lists: kernel or image")
	flags.StringVar(&p.File, "file", "", "the catalog")
	flags.StringVar(&p.Name, "name", "", "the entry's name")
	flags.StringVar(&p.Arch, "arch", "", "its architecture")
	flags.StringVar(&p.Distro, "distro", "", "its distribution")
	flags.StringVar(&p.KernelVersion, "kernel-version", "", "a kernel's version")
	flags.StringVar(&p.KernelRef, "kernel-ref", "", "the kernel that an image is made for")
	flags.StringVar(&p.TarballURL, "url", "", "where its bundle is")
	flags.StringVar(&p.TarballSHA256, "sha256", "", "the bundle's SHA-256")
	flags.Int64Var(&p.SizeBytes, "size", 0, "the bundle's size in bytes")
	flags.StringVar(&p.Description, "description", "", "what it is (default what the entry said before)")
	flags.BoolVar(&p.Remove, "remove", false, "remove the entry")
	for _, name := range []string{"kind", "file", "name", "arch"} {
		c.MarkFlagRequired(name)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		p.Describe = c.Flags().Changed("description")
		return engine.PatchCatalog(p)
	}
	return c
}
