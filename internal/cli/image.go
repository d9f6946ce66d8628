package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/imagemgr"
	"banger/internal/ref"
	"banger/internal/size"
)

func (a *app) imageCommand() *cobra.Command {
	return group("image", "Get and manage images",
		a.imageListCommand(), a.imageShowCommand(), a.imagePullCommand(),
		a.imageRegisterCommand(), a.imageBuildCommand(), a.imageVerifyCommand(), a.imageRenameCommand(),
		a.imageExportCommand(), a.imageRemoveCommand(), a.imagePruneCommand(),
	)
}

func (a *app) imageListCommand() *cobra.Command {
	var available bool
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the images that are here",
		Args:    cobra.NoArgs,
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

// listedImage is a line of image list.
type listedImage struct {
	imagemgr.Image
	OnDisk int64    `json:"on_disk"` // bytes
	VMs    []string `json:"vms"`
}

func (a *app) listImages() error {
	images, err := a.images.List()
	if err != nil {
		return err
	}
	vms, err := a.vms.List()
	if err != nil {
		return err
	}
	var all []listedImage
	for _, i := range images {
		users := []string{}
		for _, v := range vms {
			if v.Image == i.Name {
				users = append(users, v.Name)
			}
		}
		all = append(all, listedImage{i, a.images.OnDisk(i.Name), users})
	}
	return list(a, all, "NAME DISTRO ARCH KERNEL SIZE ON-DISK SOURCE CREATED VMS", func(i listedImage) []string {
		return []string{i.Name, i.Distro, i.Arch, i.KernelRef, size.Size(i.Size).String(), size.Size(i.OnDisk).String(),
			i.Source, age(i.CreatedAt), strconv.Itoa(len(i.VMs))}
	})
}

func (a *app) imageShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show an image and who uses it",
		Args:  cobra.ExactArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			i, err := a.images.Get(args[0])
			if err != nil {
				return err
			}
			users, err := a.vmsOf(i.Name)
			if err != nil {
				return err
			}
			return show(a, i, []field{
				{"Name", i.Name},
				{"Distro", i.Distro},
				{"Arch", i.Arch},
				{"Kernel", i.KernelRef},
				{"Size", size.Size(i.Size).String()},
				{"On disk", size.Size(a.images.OnDisk(i.Name)).String()},
				{"Digest", i.Digest},
				{"Source", i.Source},
				{"Created", age(i.CreatedAt)},
				{"VMs", strings.Join(users, " ")},
			})
		}),
	}
}

func (a *app) imagePullCommand() *cobra.Command {
	var o imagemgr.PullOptions
	c := &cobra.Command{
		Use:   "pull REFERENCE",
		Short: "Get an image",
		Example: "  banger image pull debian-bookworm\n" +
			"  banger image pull tar:rootfs.tar --name debian --kernel-ref debian-6.1\n" +
			"  docker export box | banger image pull - --name box --kernel-ref debian-6.1",
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&o.Name, "name", "", "the image's name (default made of the reference)")
	c.Flags().StringVar(&o.KernelRef, "kernel-ref", "", "kernel that its VMs boot")
	c.RunE = a.run(func(ctx context.Context, args []string) (err error) {
		if o.Source, err = ref.ParseSource(args[0]); err != nil {
			return err
		}
		if o.Source.Transport == ref.Catalog {
			return a.pullNamedImage(ctx, o)
		}
		if o.Name == "" {
			o.Name, err = nameOf(o.Source)
		}
		if err == nil {
			o.KernelRef, err = a.chooseKernel(o.KernelRef)
		}
		if err != nil {
			return err
		}
		p := a.newProgress()
		defer p.end()
		o.Stdin, o.Progress = a.In, p.report
		image, err := a.images.Pull(ctx, o)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.Out, image.Name)
		return nil
	})
	return c
}

// pullNamedImage gets an image of a catalog by its name there.
func (a *app) pullNamedImage(ctx context.Context, o imagemgr.PullOptions) error {
	offer, err := a.findImage(ctx, o.Source.Rest)
	if err != nil {
		return err
	}
	name := or(o.Name, offer.Entry.Name)
	if err := a.pullCatalogImage(ctx, offer, name, o.KernelRef); err != nil {
		return err
	}
	fmt.Fprintln(a.Out, name)
	return nil
}

// nameOf makes a name of a reference, for users who give none.
func nameOf(s ref.Source) (string, error) {
	base := filepath.Base(s.Rest)
	for _, suffix := range []string{".gz", ".zst", ".xz", ".tgz", ".tar"} {
		base = strings.TrimSuffix(base, suffix)
	}
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(base), "-"), "-")
	if name == "" {
		return "", withHint(fmt.Errorf("%q suggests no name", s), "give one by --name")
	}
	return name, nil
}

// chooseKernel returns the kernel that an image is to boot: the one named, the
// configured one, or the only one that is here.
func (a *app) chooseKernel(name string) (string, error) {
	if name = or(name, a.config.Kernel); name != "" {
		_, err := a.kernels.Get(name)
		return name, err
	}
	kernels, err := a.kernels.List()
	if err != nil {
		return "", err
	}
	if len(kernels) == 1 {
		return kernels[0].Name, nil
	}
	return "", withHint(errors.New("it is not clear which kernel the image is to boot"),
		"give one by --kernel-ref; banger kernel list shows those there are")
}

func (a *app) imageRegisterCommand() *cobra.Command {
	var o imagemgr.RegisterOptions
	c := &cobra.Command{
		Use:   "register --name NAME --rootfs FILE",
		Short: "Make an image of an ext4 file system",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&o.Name, "name", "", "the image's name")
	c.Flags().StringVar(&o.Rootfs, "rootfs", "", "file that holds the file system")
	c.Flags().StringVar(&o.KernelRef, "kernel-ref", "", "kernel that its VMs boot")
	c.Flags().BoolVar(&o.Copy, "copy", false, "copy all of the file, where its blocks could be shared with it")
	c.MarkFlagRequired("name")
	c.MarkFlagRequired("rootfs")
	c.RunE = a.run(func(ctx context.Context, _ []string) (err error) {
		if o.KernelRef, err = a.chooseKernel(o.KernelRef); err != nil {
			return err
		}
		image, err := a.images.Register(ctx, o)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.Out, image.Name)
		return nil
	})
	return c
}
