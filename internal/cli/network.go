package cli

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/network"
	"banger/internal/vm"
)

func (a *app) networkCommand() *cobra.Command {
	return group("network", "Manage networks: VMs on one reach each other by name",
		a.networkCreateCommand(), a.networkListCommand(), a.networkShowCommand(), a.networkRemoveCommand(),
	)
}

func (a *app) networkCreateCommand() *cobra.Command {
	var n network.Network
	var subnet string
	c := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a network, and print its name",
		Example: "  banger network create cluster\n  banger vm run --network cluster --name one",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&n.Internal, "internal", false, "VMs that are on no other network reach nothing outside")
	c.Flags().StringVar(&subnet, "subnet", "", "the network's addresses, such as 10.1.2.0/24 (default chosen)")
	c.RunE = a.run(func(ctx context.Context, args []string) (err error) {
		n.Name = args[0]
		if subnet != "" {
			if n.Subnet, err = netip.ParsePrefix(subnet); err != nil {
				return withHint(fmt.Errorf("--subnet %s: it is no network", subnet), "write one such as 10.1.2.0/24")
			}
		}
		made, err := a.engine.CreateNetwork(ctx, n)
		if err == nil {
			_, err = fmt.Fprintln(a.Out, made.Name)
		}
		return err
	})
	return c
}

func (a *app) networkListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List all networks",
		Args:    noArgs,
		RunE: a.run(func(context.Context, []string) error {
			networks, err := a.engine.ListNetworks()
			if err != nil {
				return err
			}
			return list(a, networks, "NAME SUBNET OUTSIDE VMS CREATED", func(n engine.Network) []string {
				if n.IsDamaged() {
					return []string{n.Name, "damaged", "no", networkMembers(n), ""}
				}
				return []string{n.Name, n.Subnet.String(), wayOut(n), networkMembers(n), age(n.CreatedAt)}
			})
		}),
	}
}

func wayOut(n engine.Network) string {
	if n.Internal {
		return "no"
	}
	return "yes"
}

// networkMembers is a network's VMs, those that run with a star.
func networkMembers(n engine.Network) string {
	var all []string
	for _, m := range n.Members {
		name := m.VM
		if m.Phase.Alive() {
			name += "*"
		}
		all = append(all, name)
	}
	return strings.Join(all, ",")
}

func (a *app) networkShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Aliases: []string{"inspect"},
		Short:   "Show a network, and which VMs are on it",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			n, err := a.engine.Network(args[0])
			if err != nil {
				return err
			}
			fields := []field{{"Name", n.Name}, {"Subnet", n.Subnet.String()}, {"Way out", wayOut(n)}, {"Created", age(n.CreatedAt)}}
			for _, m := range n.Members {
				fields = append(fields, field{"VM", fmt.Sprintf("%s at %s, %s", m.VM, m.Address, m.Phase)})
			}
			return show(a, n, fields)
		}),
	}
}

func (a *app) networkRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove networks that no VM is on",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return each(ctx, a, args, a.engine.RemoveNetwork)
		}),
	}
}

// networkList is what networks a VM is on, with its addresses.
func networkList(v vm.VM) string {
	if v.NoNetwork {
		return network.None
	}
	var all []string
	for _, p := range v.Networks {
		all = append(all, fmt.Sprintf("%s:%s", p.Network, p.Address.Addr()))
	}
	return strings.Join(all, ",")
}
