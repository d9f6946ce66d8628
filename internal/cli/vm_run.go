package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/engine"
)

type runOptions struct {
	engine.RunOptions
	program programOptions
	yes     bool // the configured image may be made without a question
}

func (a *app) vmRunCommand() *cobra.Command {
	var o runOptions
	o.VM = a.engine.VMDefaults()
	c := &cobra.Command{
		Use:   "run [flags] [PATH] [-- COMMAND...]",
		Short: "Create a VM, boot it and open a shell or run a command in it",
		Example: "  banger vm run --rm -- uname -a\n" +
			"  banger vm run --name dev .      # a copy of this directory, and a shell in it",
		Args: cobra.ArbitraryArgs,
	}
	flags := c.Flags()
	a.addVMFlags(flags, &o.VM)
	flags.StringVar(&o.Snapshot, "snapshot", "", "go on from this snapshot, in place of booting an image")
	flags.BoolVar(&o.VM.Ephemeral, "rm", false, "remove the VM when the command or shell ends")
	flags.BoolVar(&o.SyncBack, "sync-back", false, "when the command ends, bring home what it changed in the copy of PATH, as vm sync --pull --delete does")
	flags.BoolVar(&o.Reuse, "reuse", false, "go on in the VM of --name, where there is one, and take there what changed in PATH; what shapes a VM counts only where it is made")
	flags.BoolVarP(&o.Detach, "detach", "d", false, "print the VM's name and leave it to itself: its command runs on, see vm logs and vm wait")
	flags.BoolVar(&o.Foreground, "foreground", false, "keep the VM a part of this process: SIGTERM shuts it down, and it goes down with its command")
	flags.BoolVarP(&o.yes, "yes", "y", false, "make the default image, where it is not there yet, without a question")
	o.program.addFlags(flags)
	for _, shaped := range []string{"image", "kernel", "cpus", "memory", "disk", "vmm", "cold", "host-loopback", "network", "publish", "publish-all", "volume", "mount", "detach", "foreground"} {
		c.MarkFlagsMutuallyExclusive("snapshot", shaped)
	}
	for _, alone := range []string{"detach", "foreground", "rm", "snapshot"} {
		c.MarkFlagsMutuallyExclusive("reuse", alone)
	}
	c.MarkFlagsMutuallyExclusive("sync-back", "detach")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if err := o.takeApart(c.ArgsLenAtDash(), args); err != nil {
			return err
		}
		return a.vmRun(ctx, o)
	})
	return c
}

// addVMFlags adds those that say what VM to make.
func (a *app) addVMFlags(flags *pflag.FlagSet, o *engine.VMOptions) {
	flags.StringVar(&o.Image, "image", "", "image to boot: a name, or where it comes from, such as docker.io/library/alpine:3.20, which is pulled once (default "+a.engine.Config.Image+")")
	flags.StringVar(&o.Kernel, "kernel", "", "kernel to boot (default the image's)")
	flags.StringVar(&o.Name, "name", "", "the VM's name (default made up)")
	flags.IntVar(&o.CPUs, "cpus", o.CPUs, "number of CPUs")
	flags.VarP(&o.Memory, "memory", "m", "memory, such as 512M or 4G")
	flags.Var(&o.Disk, "disk", "size of the VM's own disk, such as 8G")
	flags.BoolVar(&o.Cold, "cold", false, "boot it, also where it could go on from one like it that has booted")
	flags.BoolVar(&o.HostLoopback, "host-loopback", false, "let the guest reach the host's loopback as host.banger.internal")
	flags.Var((*mountsFlag)(&o.Mounts), "mount", "give the guest a directory of the host, live: SRC[:DST][:ro]; may be repeated")
	addPolicyFlags(flags, &o.Policy)
	flags.StringSliceVar(&o.Networks, "network", o.Networks, "networks that the VM is on with others, see banger network; or none: nothing outside is reached")
	flags.Var(&o.Secrets, "secret", "let the guest use NAME[=VALUE|=@FILE]@HOST[,HOST] in HTTPS without having it, by default this environment's NAME; may be repeated")
	flags.IntVar(&o.Connections, "max-connections", o.Connections, "connections that the guest may have with the outside at a time")
	flags.BoolVarP(&o.PublishAll, "publish-all", "P", false, "open a port of the host for each TCP port that the guest listens on, while it does")
	flags.VarP(&publishFlag{portsFlag: (*portsFlag)(&o.Ports)}, "publish", "p", "open a port of the host: [HOST_IP:][HOST_PORT:]GUEST_PORT[/udp]; may be repeated")
	flags.VarP(&volumeFlag{(*volumesFlag)(&o.Volumes), (*mountsFlag)(&o.Mounts)}, "volume", "v", "attach a volume: NAME:/PATH[:ro], made where there is none of the name; or a directory of the host, as --mount does; may be repeated")
	flags.StringVar(&o.VMM, "vmm", "", "VMM to run it: auto, firecracker or qemu (default "+or(a.engine.Config.VMM, "auto")+")")
	flags.VarP(&o.Labels, "label", "l", "note KEY=VALUE on the VM; may be repeated")
	flags.Var(&o.TTL, "ttl", "stop the VM this long after its start, such as 2h")
	flags.Var(&o.IdleTimeout, "idle-timeout", "stop the VM after so long without a session, a connection or work")
}

// takeApart finds the directory and the command in the arguments.
func (o *runOptions) takeApart(dash int, args []string) error {
	before := args
	if dash >= 0 {
		before, o.program.Argv = args[:dash], args[dash:]
	}
	switch len(before) {
	case 0:
	case 1:
		o.Dir = before[0]
		if _, err := os.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(o.Dir, ".") && !filepath.IsAbs(o.Dir) {
			return withHint(err, "--image %s boots an image, -- %s runs a command", o.Dir, o.Dir)
		}
	default:
		return withHint(fmt.Errorf("%d paths were given: at most one is copied", len(before)),
			"put a command behind --, as in banger vm run -- %s, and an image behind --image, as in banger vm run --image %s -- %s",
			strings.Join(before, " "), before[0], strings.Join(before[1:], " "))
	}
	return nil
}

func (a *app) vmRun(ctx context.Context, o runOptions) (err error) {
	if o.Detach && (o.Foreground || o.program.tty) {
		return errors.New("--detach goes with neither --foreground nor --tty")
	}
	if o.SyncBack && o.Dir == "" {
		return errors.New("--sync-back brings home a copy of PATH, and none is given")
	}
	if o.Reuse && o.VM.Name == "" {
		return errors.New("--reuse goes on in the vm of --name, and none is given")
	}
	if o.Program, err = a.program(o.program); err != nil {
		return err
	}
	if o.Foreground {
		o.Program.Attach, o.Console = func() (engine.Attachment, error) { return a.attachForeground(o.program) }, a.attachOutput
	}
	d := a.newDisplay()
	defer d.end()
	o.Agree, o.Events = a.agree(o.yes), d.show
	run, err := a.engine.RunVM(ctx, o.RunOptions)
	switch {
	case o.Detach && err == nil:
		_, err = fmt.Fprintln(a.Out, run.VM.Name)
		return err
	case o.Foreground:
	case run.Kept:
		name := run.VM.Name
		a.say("vm %s is still running: banger vm ssh %s, banger vm rm --force %s", name, name, name)
	}
	if errors.As(err, new(*engine.UnsyncedError)) && run.Status != 0 {
		a.say("%v", err) // the command's own status tells more
		err = nil
	}
	return ended(run.Status, err)
}
