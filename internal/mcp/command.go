package mcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/engine"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// serveOptions are the server's flags.
type serveOptions struct {
	vm       engine.VMOptions
	settings settings
	remove   bool
	http     string
}

// mounts are directories of this machine that sandboxes have.
type mounts []vm.Mount

func (m *mounts) Set(text string) error {
	one, err := vm.ParseMount(text)
	*m = append(*m, one)
	return err
}

func (m *mounts) String() string {
	var all []string
	for _, one := range *m {
		all = append(all, one.String())
	}
	return strings.Join(all, ",")
}

func (m *mounts) Type() string { return "mount" }

// Command returns the command that serves an engine's sandboxes to agents.
func Command(e *engine.Engine) *cobra.Command {
	o := serveOptions{vm: e.VMDefaults()}
	c := &cobra.Command{
		Use:   "mcp",
		Short: "Let an agent use sandboxes, over the Model Context Protocol",
		Long: "Serve the Model Context Protocol on standard input and output. The agent gets a sandbox at its first use of\n" +
			"one, which is removed when the session ends. What it may reach is what these flags say.",
		Example: "  banger mcp install claude -- --image dev --allow '*.pypi.org' --host-dir .\n" +
			"  banger mcp --http 127.0.0.1:7777",
		Args: cobra.NoArgs,
	}
	o.addFlags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return o.serve(c.Context(), e, c.ErrOrStderr()) }
	c.AddCommand(installCommand(), uninstallCommand())
	return c
}

func (o *serveOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.vm.Image, "image", "", "image of the sandboxes")
	flags.StringVar(&o.vm.Kernel, "kernel", "", "kernel to boot (default the image's)")
	flags.IntVar(&o.vm.CPUs, "cpus", o.vm.CPUs, "number of CPUs of each")
	flags.Var(&o.vm.Memory, "memory", "memory of each, such as 512M or 4G")
	flags.Var(&o.vm.Disk, "disk", "size of each one's own disk, such as 8G")
	flags.StringVar(&o.vm.Policy.Egress, "egress", o.vm.Policy.Egress, "what they reach where no rule speaks: all, public or none (default all, or none with --allow)")
	flags.StringArrayVar(&o.vm.Policy.Allow, "allow", o.vm.Policy.Allow, "let them reach NAME, *.NAME, ADDRESS or ADDRESS/BITS, each with :PORT or without; may be repeated")
	flags.StringArrayVar(&o.vm.Policy.Deny, "deny", o.vm.Policy.Deny, "keep them from one, in the same form; may be repeated")
	flags.Var(&o.vm.Secrets, "secret", "let them use NAME[=VALUE|=@FILE]@HOST[,HOST] in HTTPS without having it, by default this environment's NAME; may be repeated")
	flags.StringVar(&o.settings.hostDir, "host-dir", "", "directory to copy into each sandbox when it is made, where commands then run; nothing is copied back")
	flags.Var((*mounts)(&o.vm.Mounts), "mount", "give them a directory of this machine, live: SRC[:DST][:ro]; commands run in the first, unless there is --host-dir; may be repeated")
	flags.StringArrayVar(&o.settings.granted, "vm", nil, "VM that is there, which the agent may use too; may be repeated")
	flags.IntVar(&o.settings.max, "max-sandboxes", 4, "how many sandboxes the agent may have at a time")
	flags.BoolVar(&o.remove, "rm", true, "remove the sandboxes and snapshots when the session ends")
	flags.BoolVar(&o.settings.keepAll, "keep", false, "keep them, as --rm=false does")
	flags.StringVar(&o.http, "http", "", "serve HTTP at this loopback address, such as 127.0.0.1:7777, in place of standard input and output")
}

// complete checks the flags before an agent meets what is wrong with them.
func (o *serveOptions) complete() error {
	if _, err := policy.New(o.vm.Policy); err != nil {
		return err
	}
	if o.settings.max < 1 {
		return errors.New("--max-sandboxes is 1 or more")
	}
	o.settings.keepAll = o.settings.keepAll || !o.remove
	o.settings.mounted = len(o.vm.Mounts) > 0
	for _, m := range o.vm.Mounts {
		if err := vm.CheckSource(m); err != nil {
			return err
		}
	}
	if o.settings.hostDir == "" {
		if len(o.vm.Mounts) > 0 {
			o.settings.work = o.vm.Mounts[0].Target
		}
		return nil
	}
	dir, err := filepath.Abs(o.settings.hostDir)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil && (!info.IsDir() || dir == "/") {
		err = fmt.Errorf("--host-dir %s: it is no directory that can be copied", dir)
	}
	o.settings.hostDir, o.settings.work = dir, filepath.Base(dir)
	return err
}

// serve serves until the client hangs up or ctx ends. No sandbox is left then that
// is not to be kept.
func (o *serveOptions) serve(ctx context.Context, e *engine.Engine, messages io.Writer) error {
	if err := o.complete(); err != nil {
		return err
	}
	o.vm.Ephemeral = !o.settings.keepAll
	o.settings.version = cmp.Or(e.Version, "dev")
	d := newDesk(newEngineHost(e, o.vm), o.settings)
	s := newServer(d)
	var err error
	if o.http != "" {
		err = serveHTTP(ctx, s, o.http, messages)
	} else {
		err = s.Run(ctx, patient{lineTransport(os.Stdin, os.Stdout), unread(os.Stdout)})
	}
	if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, sdk.ErrConnectionClosed) {
		err = nil // the client is done
	}
	return errors.Join(err, d.close())
}
