// Package cli is banger's command line: a file for each command, which reads
// flags into an options struct, makes one call and prints what comes back.
//
// errors.go is the one map from errors to messages, hints and exit codes. The
// package decides nothing about VMs, images or kernels itself.
package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"banger/internal/config"
	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/process"
	"banger/internal/statedir"
	"banger/internal/vm"
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

// app is what every command needs.
type app struct {
	Streams
	dirs       statedir.Dirs
	config     config.Config
	kernels    *kernel.Store
	images     *imagemgr.Store
	vms        *vm.Store
	interrupts *interrupts
	format     string
	progress   string
	quiet      bool
}

// Main runs one command line and returns its exit code.
func Main(args []string, streams Streams) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := &app{Streams: streams, interrupts: catchInterrupts(cancel)}
	if err := process.CloseOnExec(); err != nil {
		return a.report(ctx, err)
	}
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return a.report(ctx, err)
}

// open reads the configuration and finds the state.
func (a *app) open() (err error) {
	if a.dirs, err = statedir.Default(); err != nil {
		return err
	}
	if a.config, err = config.Load(a.dirs.Config, os.Getenv); err != nil {
		return err
	}
	a.kernels = kernel.NewStore(a.dirs.KernelTree(), Version)
	a.images = imagemgr.NewStore(a.dirs)
	a.images.Version = Version
	a.vms = vm.NewStore(a.dirs.VMTree())
	return nil
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:               "banger",
		Short:             "Development sandboxes in microVMs",
		Version:           Version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return errors.Join(checkFormat(a.format), checkProgress(a.progress))
		},
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	flags := root.PersistentFlags()
	flags.StringVar(&a.format, "format", formatTable, "how to print what is listed or shown: table or json")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing of progress")
	flags.StringVar(&a.progress, "progress", progressAuto, "how to show progress: auto, plain, json or none")
	addJSONFlag(flags, &a.format)
	root.AddCommand(
		a.vmCommand(), a.imageCommand(), a.kernelCommand(), a.catalogCommand(),
		short(a.vmRunCommand()), short(a.psCommand()), short(a.vmSSHCommand()),
		a.doctorCommand(), a.superviseCommand(), a.internalCommand(),
	)
	return root
}

// short marks a command as the short form of one of vm's.
func short(c *cobra.Command) *cobra.Command {
	c.Short += " (short for vm " + c.Name() + ")"
	return c
}

// group makes a command that only has commands below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return c.Help()
	}}
	c.AddCommand(commands...)
	return c
}

// run makes a command's RunE of a function that needs the state.
func (a *app) run(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := a.open(); err != nil {
			return err
		}
		return f(c.Context(), args)
	}
}
