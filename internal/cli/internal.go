package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"banger/internal/catalog"
	"banger/internal/imagecat"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/kernelcat"
	"banger/internal/statedir"
)

// internalCommand groups what banger's own scripts and banger itself call.
func (a *app) internalCommand() *cobra.Command {
	c := group(internalName, "What the scripts that publish bundles call",
		a.packKernelCommand(), a.packImageCommand(), a.patchCatalogCommand(), jailCommand())
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

// catalogPatch is a change of a catalog's file.
type catalogPatch struct {
	kind, file string
	remove     bool
	describe   bool // the entry's description is given, and not the one that is there
	kernel     kernelcat.Entry
	image      imagecat.Entry // what a kernel's entry does not have
}

func (a *app) patchCatalogCommand() *cobra.Command {
	var p catalogPatch
	c := &cobra.Command{
		Use:   "patch-catalog --kind KIND --file FILE --name NAME --arch ARCH",
		Short: "Add an entry to a catalog, change one, or remove one",
		Args:  noArgs,
	}
	flags, e := c.Flags(), &p.kernel
	flags.StringVar(&p.kind, "kind", "", "what the catalog lists: kernel or image")
	flags.StringVar(&p.file, "file", "", "the catalog")
	flags.StringVar(&e.Name, "name", "", "the entry's name")
	flags.StringVar(&e.Arch, "arch", "", "its architecture")
	flags.StringVar(&e.Distro, "distro", "", "its distribution")
	flags.StringVar(&e.KernelVersion, "kernel-version", "", "a kernel's version")
	flags.StringVar(&p.image.KernelRef, "kernel-ref", "", "the kernel that an image is made for")
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
	data, err := os.ReadFile(p.file)
	if err != nil {
		return err
	}
	switch p.kind {
	case "kernel":
		data, err = patched(data, p, p.kernel, func(e *kernelcat.Entry) *string { return &e.Description })
	case "image":
		data, err = patched(data, p, p.imageEntry(), func(e *imagecat.Entry) *string { return &e.Description })
	default:
		return fmt.Errorf("there are no catalogs of %q", p.kind)
	}
	if err != nil {
		return fmt.Errorf("patch %s: %w", p.file, err)
	}
	return statedir.WriteFile(p.file, data)
}

func (p catalogPatch) imageEntry() imagecat.Entry {
	k := p.kernel
	return imagecat.Entry{
		Name: k.Name, Distro: k.Distro, Arch: k.Arch, KernelRef: p.image.KernelRef,
		TarballURL: k.TarballURL, TarballSHA256: k.TarballSHA256, SizeBytes: k.SizeBytes, Description: k.Description,
	}
}

func patched[E catalog.Item](data []byte, p catalogPatch, e E, description func(*E) *string) ([]byte, error) {
	name, arch := e.Identity()
	if p.remove {
		return catalog.Remove[E](data, name, arch)
	}
	if !p.describe {
		c, err := catalog.Parse[E](data, false)
		if err != nil {
			return nil, err
		}
		before, err := c.Find(name, arch)
		if err != nil && !errors.As(err, new(*catalog.NotFoundError)) {
			return nil, err
		}
		*description(&e) = *description(&before)
	}
	return catalog.Patch(data, e)
}
