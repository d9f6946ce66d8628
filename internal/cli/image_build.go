package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
	"banger/internal/size"
	"banger/internal/vm"
)

type imageBuildOptions struct {
	imagebuild.Options
	base   string
	copies []string
	spec   vm.VM // of the throw-away VM
	memory size.Size
	disk   size.Size

	dockerfile imagebuild.Dockerfile
	flags      *pflag.FlagSet
}

func (a *app) imageBuildCommand() *cobra.Command {
	var o imageBuildOptions
	c := &cobra.Command{
		Use:   "build --name NAME {--from-image BASE | [-f DOCKERFILE] CONTEXT}",
		Short: "Make an image of another one, or of a Dockerfile",
		Example: "  banger image build --from-image debian-bookworm --name go --package golang-go\n" +
			"  banger image build --from-image debian-bookworm --name db --copy etc/:/etc/ --script setup.sh\n" +
			"  banger image build --name dev -f Dockerfile .",
		Args: cobra.MaximumNArgs(1),
	}
	o.addFlags(c.Flags())
	c.MarkFlagRequired("name")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if err := o.check(args); err != nil {
			return err
		}
		image, err := a.imageBuild(ctx, o)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.Out, image.Name)
		return nil
	})
	return c
}

func (o *imageBuildOptions) addFlags(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVar(&o.base, "from-image", "", "image to boot and to change")
	flags.StringVar(&o.Name, "name", "", "the new image's name")
	flags.StringVar(&o.KernelRef, "kernel-ref", "", "kernel that its VMs boot (default the base's)")
	flags.StringSliceVar(&o.Packages, "package", nil, "package to install, beside "+strings.Join(imagemgr.DebianBasePackages, " "))
	flags.StringArrayVar(&o.copies, "copy", nil, "file or directory to copy: SOURCE:TARGET")
	flags.StringVar(&o.Script, "script", "", "program to run in the VM, after that")
	flags.BoolVar(&o.Replace, "force", false, "build also where the image is there already, and replace it")
	flags.IntVar(&o.spec.CPUs, "cpus", 0, "number of CPUs of the VM")
	flags.Var(&o.memory, "memory", "memory of the VM")
	flags.Var(&o.disk, "disk", "room for what the build writes")
	flags.StringVarP(&o.dockerfile.File, "file", "f", "", "Dockerfile (default the context's)")
	flags.StringArrayVar(&o.dockerfile.Args, "build-arg", nil, "ARG of the Dockerfile: KEY=VALUE")
}

// check tells whether the flags fit the kind of build.
func (o *imageBuildOptions) check(args []string) error {
	ofImage := []string{"package", "copy", "script", "cpus", "memory", "disk"}
	ofFile := []string{"file", "build-arg"}
	unfit := ofFile
	switch {
	case o.base == "" && len(args) == 0:
		return withHint(errors.New("it is not said what to build of"), "--from-image names an image, an argument a Dockerfile's context")
	case o.base != "" && len(args) > 0:
		return errors.New("--from-image takes no context")
	case o.base == "":
		o.dockerfile.Context, unfit = args[0], ofImage
	}
	for _, name := range unfit {
		if o.flags.Changed(name) {
			return fmt.Errorf("--%s is not for this kind of build", name)
		}
	}
	for _, text := range o.copies {
		c, err := imagebuild.ParseCopy(text)
		if err != nil {
			return err
		}
		o.Copies = append(o.Copies, c)
	}
	return nil
}

func (a *app) imageBuild(ctx context.Context, o imageBuildOptions) (imagemgr.Image, error) {
	if o.Replace {
		if err := a.imageUnused(o.Name); err != nil {
			return imagemgr.Image{}, err
		}
	}
	if o.base == "" {
		return a.buildDockerfile(ctx, o)
	}
	return a.buildFromImage(ctx, o)
}

func (a *app) builder(output io.Writer) *imagebuild.Builder {
	return &imagebuild.Builder{Images: a.images, Output: output, Say: func(step string) { a.say("%s", step) }}
}

func (a *app) buildFromImage(ctx context.Context, o imageBuildOptions) (image imagemgr.Image, err error) {
	if o.Base, err = a.images.Get(o.base); err != nil {
		return image, err
	}
	if err := o.CheckPackages(); err != nil {
		return image, err
	}
	o.KernelRef = or(o.KernelRef, o.Base.KernelRef)
	output := a.stepOutput()
	builder := a.builder(output)
	if !o.Replace {
		there, err := builder.Existing(o.Options)
		if err != nil {
			return image, err
		}
		if there != nil {
			a.say("image %s is there already, made of the same: --force makes it again", there.Name)
			return *there, nil
		}
	}
	throwAway, err := a.createBuildVM(ctx, o)
	if err != nil {
		return image, err
	}
	image, err = builder.FromImage(ctx, throwAway, o.Options)
	if _, failed := errors.AsType[*imagebuild.StepError](err); failed {
		output.show(a.Err)
	}
	if removeErr := throwAway.remove(); removeErr != nil {
		a.say("banger: %v", removeErr)
	}
	return image, err
}

func (a *app) buildDockerfile(ctx context.Context, o imageBuildOptions) (image imagemgr.Image, err error) {
	d := o.dockerfile
	d.Name, d.Replace, d.TempDir = o.Name, o.Replace, a.dirs.Cache
	if d.KernelRef, err = a.chooseKernel(o.KernelRef); err != nil {
		return image, err
	}
	p := a.newProgress()
	defer p.end()
	d.Progress = p.report
	output := a.stepOutput()
	image, err = a.builder(output).FromDockerfile(ctx, d)
	if _, failed := errors.AsType[*imagebuild.ToolError](err); failed {
		output.show(a.Err)
	}
	return image, err
}
