package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"banger/internal/engine"
)

func (a *app) vmCopyCommand() *cobra.Command {
	var o engine.CopyOptions
	c := &cobra.Command{
		Use:   "cp [flags] SRC... DST",
		Short: "Copy files and directories into VMs, out of them and between them",
		Long: "Copy files and directories into VMs, out of them and between them.\n\n" +
			"VM:PATH is in a VM, from the user's home where PATH is relative; a path of the host's with a\n" +
			"colon begins with / or ./ as in ./a:b. The rules for directories are docker cp's: SRC/. is what\n" +
			"is in SRC. A single - is a tar: as SRC it is read and unpacked into DST, as DST it is written.",
		Example: "  banger vm cp notes.txt dev:            # to root's home\n" +
			"  banger vm cp dev:/var/log ./dev-logs\n" +
			"  banger vm cp dev:src/. test:src\n" +
			"  banger vm cp dev:/etc - | tar t",
		Args: cobra.MinimumNArgs(2),
	}
	flags := c.Flags()
	flags.BoolVarP(&o.Archive, "archive", "a", false, "keep owners, setuid bits, devices and all extended attributes, where you are root")
	flags.BoolVarP(&o.Follow, "follow-link", "L", false, "copy what a SRC that is a symbolic link leads to")
	flags.StringVarP(&o.User, "user", "u", "", "user in the VM, whose the files are that are copied there (default root)")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if err := a.takeCopyArguments(&o, args); err != nil {
			return err
		}
		d := a.newDisplay()
		defer d.end()
		o.Events = d.show
		return a.engine.Copy(ctx, o)
	})
	return c
}

// takeCopyArguments finds sources and destination in the arguments.
func (a *app) takeCopyArguments(o *engine.CopyOptions, args []string) error {
	last := len(args) - 1
	for _, arg := range args[:last] {
		if arg == "-" {
			if last != 1 {
				return errors.New("- is the only source where it is one")
			}
			o.Stdin = a.In
			continue
		}
		from, err := placeOf(arg)
		if err != nil {
			return err
		}
		o.From = append(o.From, from)
	}
	var err error
	if args[last] != "-" {
		o.To, err = placeOf(args[last])
		return err
	}
	switch {
	case len(o.From) != 1 || o.From[0].VM == "":
		return errors.New("a tar is made of one source, in a vm")
	case isTerminal(a.raw.Out):
		return withHint(errors.New("a tar is not for a terminal"), "send it to a file or a program, as in banger vm cp %s - | tar t", args[0])
	}
	o.Stdout = a.raw.Out
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// placeOf reads VM:PATH, or a path of the host's.
func placeOf(arg string) (engine.Place, error) {
	name, path, found := strings.Cut(arg, ":")
	switch {
	case arg == "":
		return engine.Place{}, errors.New("a path is empty")
	case !found || strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "."):
		return engine.Place{Path: arg}, nil
	case name == "" || strings.Contains(name, "/"):
		return engine.Place{}, withHint(fmt.Errorf("%q is no VM:PATH", arg), "./%s is a path of the host's", arg)
	case path == "":
		path = "."
	}
	return engine.Place{VM: name, Path: path}, nil
}
