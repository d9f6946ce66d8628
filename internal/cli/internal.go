package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"banger/internal/catalog"
	"banger/internal/kernelcat"
	"banger/internal/statedir"
)

// internalCommand groups what banger's own scripts and banger itself call.
func (a *app) internalCommand() *cobra.Command {
	c := group("internal", "What the scripts that publish bundles call", a.packKernelCommand(), a.patchCatalogCommand(), jailCommand())
	c.Hidden = true
	return c
}

func (a *app) packKernelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pack-kernel NAME FILE",
		Short: "Write a kernel as a bundle, and print its entry's values",
		Args:  cobra.ExactArgs(2),
		RunE: a.run(func(ctx context.Context, args []string) error {
			f, err := os.Create(args[1])
			if err != nil {
				return err
			}
			defer f.Close()
			packed, err := a.kernels.Pack(ctx, args[0], f)
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

// catalogPatch is a change of a catalog's file.
type catalogPatch struct {
	kind, file string
	remove     bool
	describe   bool // the entry's description is given, and not the one that is there
	kernel     kernelcat.Entry
}

func (a *app) patchCatalogCommand() *cobra.Command {
	var p catalogPatch
	c := &cobra.Command{
		Use:   "patch-catalog --kind KIND --file FILE --name NAME --arch ARCH",
		Short: "Add an entry to a catalog, change one, or remove one",
		Args:  cobra.NoArgs,
	}
	flags, e := c.Flags(), &p.kernel
	flags.StringVar(&p.kind, "kind", "", "what the catalog lists: kernel")
	flags.StringVar(&p.file, "file", "", "the catalog")
	flags.StringVar(&e.Name, "name", "", "the entry's name")
	flags.StringVar(&e.Arch, "arch", "", "its architecture")
	flags.StringVar(&e.Distro, "distro", "", "its distribution")
	flags.StringVar(&e.KernelVersion, "kernel-version", "", "its version")
	flags.StringVar(&e.TarballURL, "url", "", "where its bundle is")
	flags.StringVar(&e.TarballSHA256, "sha256", "", "the bundle's SHA-256")
	flags.Int64Var(&e.SizeBytes, "size", 0, "the bundle's size in bytes")
	flags.StringVar(&e.Description, "description", "", "what it is (default what the entry said before)")
	flags.BoolVar(&p.remove, "remove", false, "remove the entry")
	for _, name := range []string{"kind", "file", "name", "arch"} {
		c.MarkFlagRequired(name)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		p.describe = c.Flags().Changed("description")
		return p.apply()
	}
	return c
}

// apply changes the file, in one step.
func (p catalogPatch) apply() error {
	if p.kind != "kernel" {
		return fmt.Errorf("there are no catalogs of %q", p.kind)
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return err
	}
	if data, err = p.patched(data); err != nil {
		return fmt.Errorf("patch %s: %w", p.file, err)
	}
	return statedir.WriteFile(p.file, data)
}

func (p catalogPatch) patched(data []byte) ([]byte, error) {
	e := p.kernel
	if p.remove {
		return catalog.Remove[kernelcat.Entry](data, e.Name, e.Arch)
	}
	if !p.describe {
		c, err := kernelcat.Parse(data, false)
		if err != nil {
			return nil, err
		}
		before, err := c.Find(e.Name, e.Arch)
		if err != nil && !errors.As(err, new(*kernelcat.NotFoundError)) {
			return nil, err
		}
		e.Description = before.Description
	}
	return catalog.Patch(data, e)
}
