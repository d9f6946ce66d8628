// Package cli is banger's command line: a file for each command, which reads
// flags into an options struct, makes one call of package engine and prints what
// comes back.
//
// errors.go is the one map from errors to messages and exit codes, hints.go from
// errors to what to do, and events.go from events to what is printed meanwhile. The
// package decides nothing about VMs, images or kernels itself.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/config"
	"banger/internal/engine"
	"banger/internal/process"
	"banger/internal/statedir"
)

// Version is set by the linker.
var Version = "dev"

// Streams are the process's.
type Streams struct {
	In  *os.File
	Out io.Writer
	Err io.Writer
}

// Stdio returns the process's own streams.
func Stdio() Streams { return Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr} }

// app is what every command needs. Out and Err pass on only what can be seen,
// see printable.go; what raw has is for bytes that are not banger's to change.
type app struct {
	Streams
	raw        Streams
	engine     *engine.Engine
	unusable   error // why there is no proper engine
	interrupts *interrupts
	format     string
	progress   string
	quiet      bool
}

// Face makes the command of another face, which has what it needs of its own. hint
// says what to do about an error, or "".
type Face func(e *engine.Engine, hint func(error) string) *cobra.Command

// Main runs one command line and returns its exit code.
func Main(args []string, streams Streams, faces ...Face) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, messages := newFilter(streams.Out), newFilter(streams.Err)
	defer out.flush()
	defer messages.flush()
	a := &app{
		Streams: Streams{In: streams.In, Out: out, Err: messages},
		raw:     streams,
	}
	a.interrupts = catchInterrupts(cancel, a.leave())
	a.engine, a.unusable = open()
	a.engine.AskSecret = a.askSecret()
	if err := process.CloseOnExec(); err != nil {
		return a.report(ctx, err)
	}
	root := a.rootCommand(args)
	for _, face := range faces {
		c := face(a.engine, a.hint)
		a.adopt(c)
		root.AddCommand(c)
	}
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		walk(root, a.completeNames)
	}
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return a.report(ctx, err)
}

// open reads the configuration and finds the state. With an error comes an
// engine that has banger's own defaults, for help.
func open() (*engine.Engine, error) {
	o := engine.Options{Config: config.Default(), Version: Version}
	self, err := os.Executable()
	if err == nil {
		o.RunBy(self)
		o.Dirs, err = statedir.Default()
	}
	if err != nil {
		return engine.New(o), err
	}
	c, err := config.Load(o.Dirs.Config, os.Getenv)
	if err == nil {
		o.Config = c
	}
	return engine.New(o), err
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print banger's version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.format == formatJSON {
				return printJSON(a.Out, map[string]string{"version": Version})
			}
			_, err := fmt.Fprintln(a.Out, "banger version", Version)
			return err
		},
	}
}

// short marks a command as the short form of one of vm's.
func short(c *cobra.Command) *cobra.Command {
	c.Short += " (short for vm " + c.Name() + ")"
	return c
}

// sweep clears up after those that were killed, before a command of the user's.
func (a *app) sweep() {
	for _, name := range a.engine.Sweep() {
		a.say("vm %s, of a run or a build that was killed, has been removed", name)
	}
}

// adopt wraps another face's commands in what banger's own commands do around each run.
func (a *app) adopt(c *cobra.Command) {
	for _, below := range c.Commands() {
		a.adopt(below)
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			return a.run(func(context.Context, []string) error { return run(c, args) })(c, args)
		}
	}
}

// run makes a command's RunE of a function that needs the state.
func (a *app) run(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if a.unusable != nil {
			return a.unusable
		}
		if !c.Hidden {
			a.sweep()
		}
		return f(c.Context(), args)
	}
}
