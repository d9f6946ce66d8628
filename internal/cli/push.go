package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/smallfile"
)

func (a *app) kernelPushCommand() *cobra.Command {
	return pushCommand(a, "kernel", a.engine.PushKernel)
}

func (a *app) imagePushCommand() *cobra.Command { return pushCommand(a, "image", a.engine.PushImage) }

func pushCommand(a *app, kind string, push func(context.Context, engine.PushOptions) (string, error)) *cobra.Command {
	var o engine.PushOptions
	c := &cobra.Command{
		Use:   "push NAME oci://REGISTRY/REPOSITORY[:TAG]",
		Short: "Put a " + kind + " into an OCI registry",
		Long: "Put a " + kind + " into an OCI registry, with the login that docker or podman has for it. What is printed is the\n" +
			"reference to it by its digest, which banger " + kind + " pull takes on any machine.",
		Example: "  banger " + kind + " push mine oci://ghcr.io/org/mine:v1",
		Args:    cobra.ExactArgs(2),
	}
	c.Flags().BoolVar(&o.Insecure, "insecure", false, "speak plain http to a registry that knows no https")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		d := a.newDisplay()
		defer d.end()
		o.Name, o.Reference, o.Events = args[0], args[1], d.show
		pinned, err := push(ctx, o)
		d.end()
		if err != nil {
			return err
		}
		fmt.Fprintln(a.Out, pinned)
		return nil
	})
	return c
}

// cosignKeyFlag reads a public key's file into key.
func cosignKeyFlag(c *cobra.Command, key *string) {
	c.Flags().Func("cosign-key", "`file` of the public key that has to have signed what a registry has, by cosign", func(path string) error {
		text, err := smallfile.Read(path, 64<<10)
		*key = string(text)
		return err
	})
}
