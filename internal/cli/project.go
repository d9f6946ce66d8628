package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"banger/internal/devfile"
	"banger/internal/engine"
	"banger/internal/ports"
	"banger/internal/size"
)

// projectOptions are the flags that name a project and overrule its file.
type projectOptions struct {
	dir          string
	image        string
	kernel       string
	cpus         int
	memory, disk size.Size
	published    []ports.Spec
	yes, agree   bool
	recreate     bool
}

func (o *projectOptions) addDirFlag(flags *pflag.FlagSet) {
	flags.StringVarP(&o.dir, "directory", "C", ".", "the project: the file is looked for here and above")
}

func (o *projectOptions) addFlags(flags *pflag.FlagSet) {
	o.addDirFlag(flags)
	flags.StringVar(&o.image, "image", "", "image to boot, in place of the file's")
	flags.StringVar(&o.kernel, "kernel", "", "kernel to boot, in place of the file's")
	flags.IntVar(&o.cpus, "cpus", 0, "number of CPUs, in place of the file's")
	flags.Var(&o.memory, "memory", "memory, in place of the file's")
	flags.Var(&o.disk, "disk", "size of the VM's own disk, in place of the file's")
	flags.VarP((*portsFlag)(&o.published), "publish", "p", "ports of the host to open beside the file's")
	flags.BoolVar(&o.recreate, "recreate", false, "make the VM anew: what is in it is lost")
	flags.BoolVar(&o.agree, "agree", false, "agree to what the file asks for beyond the sandbox, without a question")
	flags.BoolVarP(&o.yes, "yes", "y", false, "make the default image, where it is not there yet, without a question")
}

// spec reads the project's file; flags win over it.
func (o *projectOptions) spec() (devfile.Spec, error) {
	s, err := devfile.Find(o.dir, os.Getenv)
	if err != nil {
		return s, err
	}
	if o.image != "" {
		s.Image, s.Build = o.image, nil
	}
	if o.kernel != "" {
		s.Kernel = o.kernel
	}
	if o.cpus != 0 {
		s.CPUs = o.cpus
	}
	if o.memory != 0 {
		s.Memory = o.memory
	}
	if o.disk != 0 {
		s.Disk = o.disk
	}
	s.Ports = append(s.Ports, o.published...)
	return s, nil
}

func (a *app) upCommand() *cobra.Command {
	var o projectOptions
	var foreground bool
	c := &cobra.Command{
		Use:     "up [flags]",
		Short:   "Bring up the VM of the project here, as its banger.toml or devcontainer.json says",
		Example: "  banger init && banger up && banger shell",
		Args:    noArgs,
	}
	o.addFlags(c.Flags())
	c.Flags().BoolVar(&foreground, "foreground", false, "keep the VM a part of this process: SIGTERM shuts it down")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if foreground {
			return a.upForeground(ctx, o)
		}
		p, _, err := a.up(ctx, o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.Out, p.VM.Name)
		return err
	})
	return c
}

func (a *app) upForeground(ctx context.Context, o projectOptions) error {
	s, err := o.spec()
	if err != nil {
		return err
	}
	d := a.newDisplay()
	defer d.end()
	return a.engine.UpForeground(ctx, a.upOptions(o, s, d), a.attachOutput)
}

func (a *app) upOptions(o projectOptions, s devfile.Spec, d *display) engine.UpOptions {
	return engine.UpOptions{Spec: s, Recreate: o.recreate, Agree: a.agree(o.yes), Consent: a.consent(o.agree), Events: d.show}
}

// up brings a project's VM up, and says what of its file is not done.
func (a *app) up(ctx context.Context, o projectOptions) (engine.Project, engine.UpOptions, error) {
	s, err := o.spec()
	if err != nil {
		return engine.Project{}, engine.UpOptions{}, err
	}
	d := a.newDisplay()
	defer d.end()
	up := a.upOptions(o, s, d)
	p, err := a.engine.UpVM(ctx, up)
	if err != nil {
		return p, up, err
	}
	if len(s.Unsupported) > 0 {
		a.say("%s: banger does not do what it says of %s", s.Path, strings.Join(s.Unsupported, ", "))
	}
	if p.Outdated {
		a.say("%s has changed since vm %s was made: banger up --recreate makes it anew", s.Path, p.VM.Name)
	}
	return p, up, nil
}

// consent returns how the user is asked what a project's file may have. Off a
// terminal nobody is.
func (a *app) consent(agree bool) engine.Consent {
	switch {
	case agree:
		return func(context.Context, string, []string) error { return nil }
	case a.In == nil || !term.IsTerminal(int(a.In.Fd())):
		return nil
	}
	return func(ctx context.Context, file string, asks []string) error {
		fmt.Fprintf(a.Err, "%s asks for more than the sandbox:\n", printable(file))
		for _, ask := range asks {
			fmt.Fprintf(a.Err, "  * %s\n", printable(ask))
		}
		return a.yes(ctx, "Go on?", "nothing was started")
	}
}

func (a *app) initCommand() *cobra.Command {
	var o projectOptions
	var force bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a banger.toml for the project here, by what it looks like",
		Args:  noArgs,
	}
	o.addDirFlag(c.Flags())
	c.Flags().BoolVarP(&force, "force", "f", false, "replace one that is there")
	c.RunE = func(*cobra.Command, []string) error {
		path := filepath.Join(o.dir, devfile.FileName)
		flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
		if force {
			flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		}
		f, err := os.OpenFile(path, flags, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return withHint(fmt.Errorf("%s is there already", path), "banger init --force replaces it")
		}
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.WriteString(f, devfile.Guess(o.dir)); err != nil {
			return err
		}
		a.say("%s is written: banger up brings its VM up", path)
		return f.Close()
	}
	return c
}

func (a *app) downCommand() *cobra.Command {
	var o projectOptions
	var remove bool
	c := &cobra.Command{
		Use:   "down",
		Short: "Shut down the VM of the project here",
		Args:  noArgs,
	}
	o.addDirFlag(c.Flags())
	c.Flags().BoolVar(&remove, "rm", false, "remove it too, and what is on its disk")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		p, err := a.project(o)
		if err != nil {
			return err
		}
		return a.engine.DownVM(ctx, p, remove, a.newDisplay().show)
	})
	return c
}

func (a *app) shellCommand() *cobra.Command {
	var o projectOptions
	var p programOptions
	c := &cobra.Command{
		Use:   "shell [flags] [-- COMMAND...]",
		Short: "Open a shell, or run a command, in the VM of the project here; it is brought up before",
		Args: func(c *cobra.Command, args []string) error {
			if c.ArgsLenAtDash() != 0 && len(args) > 0 {
				return withHint(errors.New("a command stands behind --"), "banger shell -- %s", strings.Join(args, " "))
			}
			return nil
		},
	}
	flags := c.Flags()
	o.addFlags(flags)
	p.addFlags(flags)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		_, up, err := a.up(ctx, o)
		if err != nil {
			return err
		}
		of := engine.ProjectProgram(up.Spec)
		p.agent = p.agent || up.Spec.SSHAgent && os.Getenv("SSH_AUTH_SOCK") != ""
		p.Env = append(of.Env, p.Env...)
		program, err := a.program(p)
		if err != nil {
			return err
		}
		program.Argv, program.User, program.Dir = args, or(program.User, of.User), or(program.Dir, of.Dir)
		return ended(a.engine.ShellVM(ctx, up, program))
	})
	return c
}

// project finds the VM of the project that the flags name.
func (a *app) project(o projectOptions) (engine.Project, error) {
	s, err := o.spec()
	if err != nil {
		return engine.Project{}, err
	}
	return a.engine.Project(s)
}

func (a *app) statusCommand() *cobra.Command {
	var o projectOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the VM of the project here",
		Args:  noArgs,
	}
	o.addDirFlag(c.Flags())
	c.RunE = a.run(func(_ context.Context, _ []string) error {
		p, err := a.project(o)
		if err != nil {
			return err
		}
		return show(a, p, projectFields(p))
	})
	return c
}

func projectFields(p engine.Project) []field {
	fields := []field{{"File", p.File}}
	if p.VM == nil {
		return append(fields, field{"VM", "none: banger up makes it"})
	}
	v := p.VM
	fields = append(fields, field{"VM", v.Name}, field{"State", string(v.State.Phase)}, field{"Image", v.Image})
	if v.State.Phase.Alive() {
		fields = append(fields, field{"Up since", v.State.StartedAt.Local().Format(time.DateTime)})
	}
	for _, port := range v.State.OpenPorts() {
		fields = append(fields, field{"Port", port.String()})
	}
	if p.Outdated {
		fields = append(fields, field{"Outdated", "the file has changed since: banger up --recreate"})
	}
	return fields
}
