package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"banger/internal/catalog"
	"banger/internal/engine"
)

func (a *app) catalogCommand() *cobra.Command {
	return group("catalog", "Manage where catalogs of kernels and images come from",
		a.catalogListCommand(), a.catalogAddCommand(), a.catalogRemoveCommand(), a.catalogRefreshCommand(),
	)
}

func (a *app) catalogListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the catalogs, in the order in which they count",
		Args:    noArgs,
		RunE: a.run(func(context.Context, []string) error {
			return list(a, a.engine.Catalogs(), "NAME KERNELS IMAGES TRUST", func(s catalog.Source) []string {
				return []string{s.Name, s.Kernels, s.Images, trust(s)}
			})
		}),
	}
}

// trust says why a catalog is believed.
func trust(s catalog.Source) string {
	switch {
	case s.Name == catalog.BuiltIn:
		return "part of this program"
	case s.PublicKey != "":
		return "signed by " + s.PublicKey
	case s.Insecure:
		return "none: insecure"
	}
	return "a file of this machine"
}

func (a *app) catalogAddCommand() *cobra.Command {
	var s catalog.Source
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a catalog to the configuration",
		Long: "Add a catalog to the configuration, behind those that are there.\n" +
			"A remote one has to carry a minisign signature (URL.minisig) by the key given; a file needs none.",
		Example: "  banger catalog add lab --kernels https://lab.example/kernels.json --public-key RWQ...\n" +
			"  banger catalog add mine --kernels ~/kernels.json",
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&s.Kernels, "kernels", "", "URL or absolute path of its catalog of kernels")
	c.Flags().StringVar(&s.Images, "images", "", "URL or absolute path of its catalog of images")
	c.Flags().StringVar(&s.PublicKey, "public-key", "", "minisign public key that signs them")
	c.Flags().BoolVar(&s.Insecure, "insecure", false, "take them unsigned, and over plain http")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		s.Name = args[0]
		content, err := a.engine.AddCatalog(ctx, s, a.newDisplay().show)
		a.printContent(content)
		return err
	})
	return c
}

func (a *app) catalogRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove catalogs from the configuration; what was pulled from them stays",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return each(ctx, a, args, func(_ context.Context, name string) error {
				return a.engine.RemoveCatalog(name)
			})
		}),
	}
}

func (a *app) catalogRefreshCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "refresh [NAME...]",
		Short: "Fetch remote catalogs anew",
		RunE: a.run(func(ctx context.Context, args []string) error {
			if len(args) == 0 {
				for _, s := range a.engine.Config.Catalogs {
					args = append(args, s.Name)
				}
			}
			return each(ctx, a, args, func(ctx context.Context, name string) error {
				content, err := a.engine.RefreshCatalog(ctx, name, a.newDisplay().show)
				a.printContent(content)
				return err
			})
		}),
	}
}

func (a *app) printContent(content []engine.CatalogContent) {
	for _, c := range content {
		fmt.Fprintf(a.Out, "%s: %d %s\n", c.Name, c.Entries, c.Kind)
	}
}
