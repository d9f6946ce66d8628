package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/agentapi"
	"banger/internal/ports"
	"banger/internal/vm"
)

// portsFlag takes ports, each time more of them.
type portsFlag []ports.Spec

func (f *portsFlag) Set(text string) error {
	specs, err := ports.Parse(text)
	*f = append(*f, specs...)
	return err
}

// publishFlag is a portsFlag whose first port takes the place of the defaults.
type publishFlag struct {
	*portsFlag
	given bool
}

func (f *publishFlag) Set(text string) error {
	if !f.given {
		f.given, *f.portsFlag = true, nil
	}
	return f.portsFlag.Set(text)
}

func (f *portsFlag) String() string {
	var all []string
	for _, spec := range *f {
		all = append(all, spec.String())
	}
	return strings.Join(all, ",")
}

func (f *portsFlag) Type() string { return "port" }

func (a *app) vmPortCommand() *cobra.Command {
	var guest bool
	c := &cobra.Command{
		Use:   "port NAME [GUEST_PORT[/udp]]",
		Short: "List the ports of the host that lead to a VM, or those that its guest listens on",
		Args:  cobra.RangeArgs(1, 2),
	}
	c.Flags().BoolVar(&guest, "guest", false, "list the TCP ports that programs in the guest listen on")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if guest {
			return a.listGuestPorts(ctx, args[0])
		}
		v, err := a.engine.VM(args[0])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			return list(a, v.State.OpenPorts(), "GUEST HOST", func(s ports.Spec) []string {
				return []string{fmt.Sprintf("%d/%s", s.GuestPort, s.Protocol), s.Host().String()}
			})
		}
		return a.showPort(v, args[1])
	})
	return c
}

func (a *app) listGuestPorts(ctx context.Context, name string) error {
	found, err := a.engine.GuestPorts(ctx, name)
	if err != nil {
		return err
	}
	return list(a, found, "PORT ADDRESS PID PROCESS", func(p agentapi.Port) []string {
		return []string{strconv.Itoa(int(p.Port)), p.Address, strconv.Itoa(p.PID), p.Process}
	})
}

// showPort prints where one port of the guest is to be found.
func (a *app) showPort(v vm.VM, text string) error {
	wanted, err := ports.Parse(text)
	if err != nil || len(wanted) != 1 || strings.Contains(text, ":") {
		return fmt.Errorf("port %q: write the guest's port, and /udp where it is one of UDP", text)
	}
	var found []ports.Spec
	for _, s := range v.State.OpenPorts() {
		if s.GuestPort == wanted[0].GuestPort && s.Protocol == wanted[0].Protocol {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return withHint(fmt.Errorf("port %s of vm %q is not open on the host", text, v.Name),
			"banger vm forward %s %s opens it while that runs", v.Name, text)
	}
	if a.format != formatTable {
		return list(a, found, "", nil)
	}
	for _, s := range found {
		fmt.Fprintln(a.Out, s.Host())
	}
	return nil
}

func (a *app) vmForwardCommand() *cobra.Command {
	var reverse bool
	c := &cobra.Command{
		Use:   "forward NAME [HOST_IP:][HOST_PORT:]GUEST_PORT[/udp]",
		Short: "Open a port of the host that leads to a running VM, until ^C",
		Example: "  banger vm forward dev 8080:80\n" +
			"  banger vm forward dev 5432 --reverse   # localhost:5432 in the guest is the host's",
		Args: cobra.ExactArgs(2),
	}
	c.Flags().BoolVar(&reverse, "reverse", false, "give the guest a port of its loopback that leads to the host's instead")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		specs, err := ports.Parse(args[1])
		if err != nil {
			return err
		}
		if len(specs) > 1 {
			return fmt.Errorf("%s: one port is forwarded at a time", args[1])
		}
		if reverse {
			return a.engine.ReverseVM(ctx, args[0], specs[0], func(guest string) {
				a.say("%s in vm %s leads to %s, until ^C", guest, args[0], specs[0].Host())
			})
		}
		return a.engine.ForwardVM(ctx, args[0], specs[0], func(at ports.Spec) {
			a.say("%s leads to port %d of vm %s, until ^C", at.Host(), at.GuestPort, args[0])
		})
	})
	return c
}
