package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/ref"
	"banger/internal/size"
)

// group makes a command that only has commands below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: knownCommand, RunE: func(c *cobra.Command, _ []string) error {
		return c.Help()
	}}
	c.AddCommand(commands...)
	return c
}

// knownCommand is the arguments' check of a command that has only others below
// it: what comes to it is none of those.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return withHint(fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath()), "%s", nearestCommand(c, args[0]))
}

// nearestCommand says what may be meant by a command that is not below c: one
// that is, or else one that is elsewhere.
func nearestCommand(c *cobra.Command, name string) string {
	var here, elsewhere []string
	paths := map[string][]string{} // by name and alias
	walk(c.Root(), func(known *cobra.Command) {
		if known.Parent() == c {
			here = append(here, known.Name())
		}
		for _, called := range slices.Concat(known.Aliases, known.SuggestFor, []string{known.Name()}) {
			elsewhere = append(elsewhere, called)
			paths[called] = append(paths[called], known.CommandPath())
		}
	})
	meant := ref.Nearest(name, append(here, elsewhere...))
	switch {
	case slices.Contains(here, meant):
		return nearest(meant, "")
	case meant != "":
		return "did you mean " + strings.Join(paths[meant], ", or ") + "?"
	}
	return c.CommandPath() + " --help shows those there are"
}

// hideUnset keeps help from showing a default for flags that leave a size as it is.
func hideUnset(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.DefValue == size.Size(0).String() {
			f.DefValue = ""
		}
	})
}

// walk calls f for all commands below c that users know.
func walk(c *cobra.Command, f func(*cobra.Command)) {
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			f(below)
			walk(below, f)
		}
	}
}

// noArgs is the arguments' check of a command that takes none.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, and %q is one", c.CommandPath(), args[0])
	}
	return nil
}

// explainUsage makes c and all commands below it show their usage where the number of
// arguments is wrong.
func explainUsage(c *cobra.Command) {
	if check := c.Args; check != nil && !c.HasSubCommands() {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil || errors.As(err, new(*hinted)) {
				return err
			}
			return withHint(err, "usage: %s", c.UseLine())
		}
	}
	for _, below := range c.Commands() {
		explainUsage(below)
	}
}

// numberError is err in words for whoever typed the number, where it is one's.
func numberError(err error) error {
	invalid, is := errors.AsType[*pflag.InvalidValueError](err)
	number, bad := errors.AsType[*strconv.NumError](err)
	if !is || !bad {
		return err
	}
	what := "a whole number"
	if invalid.GetFlag().Value.Type() == "bool" {
		what = "true or false"
	}
	if errors.Is(number, strconv.ErrRange) {
		what = "less"
	}
	return fmt.Errorf("--%s %s: it has to be %s", invalid.GetFlag().Name, number.Num, what)
}

// flagError says what may be meant by flags that a command does not have.
func flagError(c *cobra.Command, err error) error {
	if invalid, is := errors.AsType[*pflag.InvalidValueError](err); is && invalid.GetFlag().Name == "secret" {
		return fmt.Errorf("--secret: %w", invalid.Unwrap()) // without what was given
	}
	unknown, is := errors.AsType[*pflag.NotExistError](err)
	before := c.Flags().Args()
	switch {
	case !is:
		return numberError(err)
	case c.HasSubCommands() && len(before) > 0:
		return knownCommand(c, before)
	case strings.Contains(c.Use, "-- COMMAND") && len(before) > 0:
		return withHint(err, "put a command behind --, as in %s -- %s", c.CommandPath(), strings.Join(before, " "))
	case unknown.GetSpecifiedShortnames() != "":
		return withHint(err, "%s --help shows those there are", c.CommandPath())
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	slices.Sort(known)
	meant := ref.Nearest(unknown.GetSpecifiedName(), known)
	if meant != "" {
		meant = "--" + meant
	}
	return withHint(err, "%s", nearest(meant, c.CommandPath()+" --help shows those there are"))
}
