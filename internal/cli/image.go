package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/size"
)

func (a *app) imageCommand() *cobra.Command {
	return group("image", "Get and manage images",
		a.imageListCommand(), a.imageShowCommand(), a.imagePullCommand(), a.imagePushCommand(),
		a.imageRegisterCommand(), a.imageBuildCommand(), a.imageVerifyCommand(), a.imageRenameCommand(),
		a.imageExportCommand(), a.imageWarmCommand(), a.imageRemoveCommand(), a.imagePruneCommand(),
	)
}

func (a *app) imageListCommand() *cobra.Command {
	var available bool
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the images that are here",
		Args:    noArgs,
	}
	c.Flags().BoolVar(&available, "available", false, "list those that the catalogs have instead")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if available {
			return a.listAvailableImages(ctx)
		}
		return a.listImages()
	})
	return c
}

func (a *app) listImages() error {
	images, err := a.engine.ListImages()
	if err != nil {
		return err
	}
	return list(a, images, "NAME DISTRO ARCH KERNEL SIZE ON-DISK SOURCE CREATED VMS WARM", func(i engine.ImageInfo) []string {
		return []string{i.Name, i.Distro, i.Arch, i.KernelRef, size.Size(i.Size).String(), size.Size(i.OnDisk).String(),
			i.Source, age(i.CreatedAt), strconv.Itoa(len(i.VMs)), warmWord(i)}
	})
}

// listAvailableImages prints what the catalogs have.
func (a *app) listAvailableImages(ctx context.Context) error {
	d := a.newDisplay()
	defer d.end()
	all, err := a.engine.AvailableImages(ctx, d.show)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		a.say("the catalogs are empty; images also come from Debian's archive (banger image pull mmdebstrap:bookworm), " +
			"from registries and archives (banger image pull --help), and from what you build (banger image build)")
	}
	return list(a, all, "NAME DISTRO ARCH KERNEL SIZE STATE DESCRIPTION", func(i engine.AvailableImage) []string {
		return []string{i.Name, i.Distro, i.Arch, i.KernelRef, size.Size(i.SizeBytes).String(), i.State, i.Description}
	})
}

func (a *app) imageShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Aliases: []string{"inspect"},
		Short:   "Show an image and who uses it",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			i, err := a.engine.Image(args[0])
			if err != nil {
				return err
			}
			return show(a, i, []field{
				{"Name", i.Name},
				{"Distro", i.Distro},
				{"Arch", i.Arch},
				{"Kernel", i.KernelRef},
				{"Size", size.Size(i.Size).String()},
				{"On disk", size.Size(i.OnDisk).String()},
				{"Digest", i.Digest},
				{"Source", i.Source},
				{"Created", age(i.CreatedAt)},
				{"VMs", strings.Join(i.VMs, " ")},
				{"Warm", warmWords(i)},
			})
		}),
	}
}

func (a *app) imagePullCommand() *cobra.Command {
	var o engine.PullImageOptions
	c := &cobra.Command{
		Use:   "pull REFERENCE",
		Short: "Get an image",
		Example: "  banger image pull debian-bookworm\n" +
			"  banger image pull oci://ghcr.io/org/mine:v1        # what banger image push put there\n" +
			"  banger image pull tar:rootfs.tar --name debian --kernel-ref debian-6.1\n" +
			"  docker export box | banger image pull - --name box --kernel-ref debian-6.1",
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&o.Name, "name", "", "the image's name (default made of the reference)")
	c.Flags().StringVar(&o.KernelRef, "kernel-ref", "", "kernel that its VMs boot (default the catalog's, the configured one or the only one here)")
	c.Flags().BoolVar(&o.Insecure, "insecure", false, "speak plain http to a registry that knows no https")
	cosignKeyFlag(c, &o.CosignKey)
	largest := a.engine.Config.MaxImageSize
	c.Flags().Var(&largest, "max-size", "what it may unpack to")
	c.Flags().Int64Var(&o.Limits.Entries, "max-entries", a.engine.Config.MaxImageEntries, "how many files, directories and links it may have")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		d := a.newDisplay()
		defer d.end()
		o.Limits.Size = int64(largest)
		o.Reference, o.Stdin, o.Events = args[0], a.In, d.show
		pull, err := a.engine.PullImage(ctx, o)
		d.end()
		if err != nil {
			return err
		}
		if pull.Present {
			a.say("image %s is here already", pull.Image.Name)
		}
		fmt.Fprintln(a.Out, pull.Image.Name)
		return nil
	})
	return c
}

func (a *app) imageRegisterCommand() *cobra.Command {
	var o imagemgr.RegisterOptions
	c := &cobra.Command{
		Use:   "register --name NAME --rootfs FILE",
		Short: "Make an image of an ext4 file system",
		Args:  noArgs,
	}
	c.Flags().StringVar(&o.Name, "name", "", "the image's name")
	c.Flags().StringVar(&o.Rootfs, "rootfs", "", "file that holds the file system")
	c.Flags().StringVar(&o.KernelRef, "kernel-ref", "", "kernel that its VMs boot (default the configured one or the only one here)")
	c.Flags().BoolVar(&o.Copy, "copy", false, "copy all of the file, where its blocks could be shared with it")
	c.MarkFlagRequired("name")
	c.MarkFlagRequired("rootfs")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		image, err := a.engine.RegisterImage(ctx, o)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.Out, image.Name)
		return nil
	})
	return c
}
