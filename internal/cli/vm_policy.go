package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/usernet/policy"
)

func addPolicyFlags(flags *pflag.FlagSet, s *policy.Settings) {
	flags.StringVar(&s.Egress, "egress", "", "what the guest reaches where no rule speaks: all, public or none (default all, or none with --allow)")
	flags.StringArrayVar(&s.Allow, "allow", nil, "let the guest reach NAME, *.NAME, ADDRESS or ADDRESS/BITS, each with :PORT or without; may be repeated")
	flags.StringArrayVar(&s.Deny, "deny", nil, "keep it from one, in the same form; may be repeated")
}

func (a *app) vmPolicyCommand() *cobra.Command {
	var add policy.Settings
	var check string
	c := &cobra.Command{
		Use:   "policy NAME",
		Short: "Show or change what a VM's guest may reach",
		Example: "  banger vm policy dev --allow '*.pypi.org:443'   # beside what is there, at once\n" +
			"  banger vm policy dev --check 10.0.0.1:22",
		Args: cobra.ExactArgs(1),
	}
	addPolicyFlags(c.Flags(), &add)
	c.Flags().StringVar(&check, "check", "", "say what would become of a connection to HOST[:PORT], and by which rule")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		v, err := a.engine.VM(args[0])
		if err != nil {
			return err
		}
		s := v.Policy
		if c.Flags().Changed("egress") {
			s.Egress = add.Egress
		}
		s.Allow, s.Deny = append(s.Allow, add.Allow...), append(s.Deny, add.Deny...)
		switch {
		case check != "":
			return a.checkPolicy(s, check)
		case c.Flags().Changed("egress") || len(add.Allow)+len(add.Deny) > 0:
			return a.engine.SetPolicy(ctx, args[0], s)
		}
		return show(a, s, []field{{"Egress", s.Egress}, {"Allow", strings.Join(s.Allow, " ")}, {"Deny", strings.Join(s.Deny, " ")}})
	})
	return c
}

// checkPolicy prints the rules' verdict on HOST[:PORT]; what they would say of
// a name is for addresses that are public.
func (a *app) checkPolicy(s policy.Settings, target string) error {
	rules, err := policy.New(s)
	if err != nil {
		return err
	}
	host, port := target, "443"
	if h, p, err := net.SplitHostPort(target); err == nil {
		host, port = h, p
	}
	address, names := strings.Trim(host, "[]"), []string(nil)
	if _, err := netip.ParseAddr(address); err != nil {
		address, names = "203.0.113.1", []string{host}
	}
	to, err := netip.ParseAddrPort(net.JoinHostPort(address, port))
	if err != nil {
		return fmt.Errorf("check %q: write HOST or HOST:PORT", target)
	}
	verdict := rules.Connection(to, names)
	if a := to.Addr().Unmap(); a.IsLoopback() || a.IsLinkLocalUnicast() {
		verdict = policy.Verdict{Rule: "what is the host's own, or its link's, is closed"}
	}
	if names != nil {
		if v := rules.Name(host); !v.Allowed {
			verdict = v
		}
	}
	word := "denied"
	if verdict.Allowed {
		word = "allowed"
	}
	fmt.Fprintf(a.Out, "%s by %s\n", word, verdict.Rule)
	return nil
}
