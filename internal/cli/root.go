package cli

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/engine"
)

// rootCommand makes the command that the others are below: all of them, or the one
// alone that args ask for, where it is asked for often.
func (a *app) rootCommand(args []string) *cobra.Command {
	below := a.alone(a.words(args))
	if below == nil {
		below = a.all()
	}
	root := group("banger", "Development sandboxes in microVMs", below...)
	root.Version = Version
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		return errors.Join(checkFormat(a.format), checkProgress(a.progress))
	}
	root.SetFlagErrorFunc(flagError)
	explainUsage(root)
	walk(root, hideUnset)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	a.addFlags(root.PersistentFlags())
	return root
}

func (a *app) all() []*cobra.Command {
	return []*cobra.Command{
		a.vmCommand(), a.imageCommand(), a.kernelCommand(), a.volumeCommand(), a.networkCommand(), a.systemCommand(), a.catalogCommand(),
		short(a.vmRunCommand()), short(a.psCommand()), short(a.vmSSHCommand()), short(a.vmExecCommand()),
		short(a.vmLogsCommand()), short(a.vmStartCommand()), short(a.vmStopCommand()), short(a.vmRemoveCommand()),
		short(a.vmCopyCommand()),
		a.imagesCommand(),
		a.sshConfigCommand(), a.codeCommand(),
		a.initCommand(), a.upCommand(), a.shellCommand(), a.statusCommand(), a.downCommand(), a.generateCommand(),
		a.doctorCommand(), a.versionCommand(), a.superviseCommand(), a.internalCommand(),
	}
}

// alone makes the command that the first words of a command line are the name of,
// where it is one that is run often; else nil. To make all takes a fifth of the
// processor time of such a command.
func (a *app) alone(words []string) []*cobra.Command {
	if len(words) == 0 {
		return nil
	}
	if words[0] == engine.SuperviseCommand {
		return []*cobra.Command{a.superviseCommand()}
	}
	often := map[string]func() *cobra.Command{
		"run": a.vmRunCommand, "ssh": a.vmSSHCommand, "exec": a.vmExecCommand, "logs": a.vmLogsCommand,
		"start": a.vmStartCommand, "stop": a.vmStopCommand, "rm": a.vmRemoveCommand, "cp": a.vmCopyCommand,
	}
	if one, is := often[words[0]]; is {
		return []*cobra.Command{short(one())}
	}
	if len(words) == 1 || words[0] != "vm" {
		return nil
	}
	if one, is := often[words[1]]; is {
		return []*cobra.Command{vmGroup(one())}
	}
	return nil
}

func (a *app) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&a.format, "format", formatTable, "how to print what is listed or shown: table, json or a Go template such as {{.Name}}")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing of progress")
	flags.StringVar(&a.progress, "progress", progressAuto, "how to show progress: auto, plain, json or none")
	addJSONFlag(flags, &a.format)
}

// words returns what follows the flags that args begin with; nothing where not all of
// these are for all commands.
func (a *app) words(args []string) []string {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.SetInterspersed(false)
	a.addFlags(flags)
	if flags.Parse(args) != nil {
		return nil
	}
	return flags.Args()
}
