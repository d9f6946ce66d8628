package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/engine"
	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
)

// imageBuildOptions are those of both kinds of build.
type imageBuildOptions struct {
	engine.BuildOptions
	copies     []string
	dockerfile imagebuild.Dockerfile
	flags      *pflag.FlagSet
}

func (a *app) imageBuildCommand() *cobra.Command {
	var o imageBuildOptions
	o.VM = a.engine.VMDefaults()
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
		return a.imageBuild(ctx, o)
	})
	return c
}

func (o *imageBuildOptions) addFlags(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVar(&o.From, "from-image", "", "image to boot and to change")
	flags.StringVar(&o.Name, "name", "", "the new image's name")
	flags.StringVar(&o.KernelRef, "kernel-ref", "", "kernel that its VMs boot (default the base's)")
	flags.StringSliceVar(&o.Packages, "package", nil, "package to install, beside "+strings.Join(imagemgr.DebianBasePackages, " "))
	flags.StringArrayVar(&o.copies, "copy", nil, "file or directory to copy: SOURCE:TARGET")
	flags.StringVar(&o.Script, "script", "", "program to run in the VM, after that")
	flags.BoolVar(&o.Replace, "force", false, "build also where the image is there already, and replace it")
	flags.IntVar(&o.VM.CPUs, "cpus", o.VM.CPUs, "number of CPUs of the VM")
	flags.Var(&o.VM.Memory, "memory", "memory of the VM")
	flags.Var(&o.VM.Disk, "disk", "room for what the build writes")
	flags.StringVarP(&o.dockerfile.File, "file", "f", "", "Dockerfile (default the context's)")
	flags.StringArrayVar(&o.dockerfile.Args, "build-arg", nil, "ARG of the Dockerfile: KEY=VALUE")
}

// check reports whether the flags fit the kind of build.
func (o *imageBuildOptions) check(args []string) error {
	ofImage := []string{"package", "copy", "script", "cpus", "memory", "disk"}
	ofFile := []string{"file", "build-arg"}
	unfit := ofFile
	switch {
	case o.From == "" && len(args) == 0:
		return withHint(errors.New("it is not said what to build of"), "--from-image names an image, an argument a Dockerfile's context")
	case o.From != "" && len(args) > 0:
		return errors.New("--from-image takes no context")
	case o.From == "":
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

func (a *app) imageBuild(ctx context.Context, o imageBuildOptions) error {
	d := a.newDisplay()
	defer d.end()
	o.Events = d.show
	var built engine.ImagePull
	var err error
	if o.From != "" {
		built, err = a.engine.BuildImage(ctx, o.BuildOptions)
	} else {
		f := o.dockerfile
		f.Name, f.KernelRef, f.Replace = o.Name, o.KernelRef, o.Replace
		built, err = a.engine.BuildDockerfile(ctx, f, o.Events)
	}
	if errors.As(err, new(*imagebuild.StepError)) || errors.As(err, new(*imagebuild.ToolError)) {
		d.showKept()
	}
	if err != nil {
		return err
	}
	if built.Present {
		a.say("image %s is there already, made of the same: --force makes it again", built.Image.Name)
	}
	fmt.Fprintln(a.Out, built.Image.Name)
	return nil
}
