package cli

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

func addPolicyFlags(flags *pflag.FlagSet, s *policy.Settings) {
	flags.StringVar(&s.Egress, "egress", s.Egress, "what the guest reaches where no rule speaks: all, public or none (default all, or none with --allow)")
	flags.StringArrayVar(&s.Allow, "allow", s.Allow, "let the guest reach NAME, *.NAME, ADDRESS or ADDRESS/BITS, each with :PORT or without; may be repeated")
	flags.StringArrayVar(&s.Deny, "deny", s.Deny, "keep it from one, in the same form; may be repeated")
}

func (a *app) vmPolicyCommand() *cobra.Command {
	var add policy.Settings
	var change policy.Change
	var check string
	c := &cobra.Command{
		Use:   "policy NAME",
		Short: "Show or change what a VM's guest may reach",
		Example: "  banger vm policy dev --allow '*.pypi.org:443'   # beside what is there, at once\n" +
			"  banger vm policy dev --remove '*.pypi.org:443'\n" +
			"  banger vm policy dev --check 10.0.0.1:22",
		Args: cobra.ExactArgs(1),
	}
	addPolicyFlags(c.Flags(), &add)
	c.Flags().StringArrayVar(&change.Remove, "remove", nil, "take away a rule, as it was written; may be repeated")
	c.Flags().BoolVar(&change.Replace, "replace", false, "forget all that was there before")
	c.Flags().StringVar(&check, "check", "", "say what would become of a connection to HOST[:PORT], and by which rule")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		v, err := a.engine.VM(args[0])
		if err != nil {
			return err
		}
		change.Allow, change.Deny = add.Allow, add.Deny
		if c.Flags().Changed("egress") {
			change.Egress = &add.Egress
		}
		switch {
		case c.Flags().Changed("check"):
			if v.Policy, err = change.Apply(v.Policy); err != nil {
				return err
			}
			return a.checkPolicy(v, check)
		case !change.IsEmpty():
			return a.engine.SetPolicy(ctx, args[0], change)
		}
		s := v.Policy
		return show(a, s, []field{{"Egress", s.Egress}, {"Allow", strings.Join(s.Allow, " ")}, {"Deny", strings.Join(s.Deny, " ")}})
	})
	return c
}

// checkPolicy prints the verdict on HOST[:PORT].
func (a *app) checkPolicy(v vm.VM, target string) error {
	host, portText := target, "443"
	if h, p, err := net.SplitHostPort(target); err == nil {
		host, portText = h, p
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || host == "" {
		return fmt.Errorf("check %q: write HOST or HOST:PORT", target)
	}
	verdict, err := a.engine.Check(v, strings.Trim(host, "[]"), uint16(port))
	if err != nil {
		return err
	}
	if a.format != formatTable {
		return show(a, verdict, nil)
	}
	word := "denied"
	if verdict.Allowed {
		word = "allowed"
	}
	fmt.Fprintf(a.Out, "%s by %s\n", word, verdict.Rule)
	return nil
}
