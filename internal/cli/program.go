package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"banger/internal/agent"
	"banger/internal/agentapi"
	"banger/internal/imagemgr"
	"banger/internal/vmm"
)

// guestRoot is who commands run as where no flag says otherwise.
const guestRoot = "root"

// programOptions is a program to run in a guest and how.
type programOptions struct {
	argv     []string
	line     string // for the user's shell, in place of argv; with neither it is that shell
	dir      string
	env      []string
	user     string
	waitInit bool
	tty      bool
	noTTY    bool
	flags    *pflag.FlagSet

	entrypoint []string // what the image runs where nothing is asked for
}

func (p *programOptions) addFlags(flags *pflag.FlagSet) {
	p.flags = flags
	flags.StringVarP(&p.user, "user", "u", guestRoot, "user to run as in the guest")
	flags.StringVarP(&p.dir, "workdir", "w", "", "directory to run in, from the user's home (default that)")
	flags.StringArrayVarP(&p.env, "env", "e", nil, "set a variable: KEY=VALUE, or KEY for its value here")
	flags.BoolVar(&p.waitInit, "wait-init", false, "wait until the guest's init has finished booting")
	flags.BoolVarP(&p.tty, "tty", "t", false, "give the command a terminal (default where this one's input and output are one)")
	flags.BoolVarP(&p.noTTY, "no-tty", "T", false, "give the command no terminal")
}

// connect logs in to a running guest.
func (a *app) connect(ctx context.Context, name, user string) (*agent.Client, error) {
	conn, err := a.vms.Dial(ctx, name, agentapi.SSHPort)
	if err != nil {
		return nil, err
	}
	keys, err := a.vms.Keys(name)
	if err != nil {
		conn.Close()
		return nil, err
	}
	v, err := a.vms.Get(name)
	if err != nil {
		conn.Close()
		return nil, err
	}
	emulated := v.State.VMM != nil && v.State.VMM.Accel == vmm.TCG
	return agent.Dial(ctx, conn, agent.Login{Keys: keys, User: user, Emulated: emulated})
}

// inImage completes a program in a running VM by what its image says, where that
// is a container's, without an init: its variables, directory and user, as far as
// no flag says otherwise.
func (a *app) inImage(name string, p programOptions) (programOptions, error) {
	v, err := a.vms.Get(name)
	if err != nil || v.State.Guest == nil || v.State.Guest.Init != "" {
		return p, err
	}
	image, err := a.images.Get(v.Image)
	if errors.As(err, new(*imagemgr.NotFoundError)) {
		return p, nil // removed meanwhile
	}
	return p.in(image.Config), err
}

func (p programOptions) in(c *imagemgr.Config) programOptions {
	if c == nil {
		return p
	}
	p.env = slices.Concat(assigned(c.Env), p.env)
	p.dir = or(p.dir, c.WorkingDir)
	if !p.flags.Changed("user") {
		p.user = or(c.User, p.user)
	}
	p.entrypoint = slices.Concat(c.Entrypoint, c.Cmd)
	return p
}

// assigned drops the entries of an image's environment that assign nothing: a
// name alone would ask for the value that it has on the host.
func assigned(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		return strings.Index(entry, "=") <= 0
	})
}

// orEntrypoint is the image's own program where none is asked for.
func (p programOptions) orEntrypoint() programOptions {
	if len(p.argv) == 0 && p.line == "" {
		p.argv = p.entrypoint
	}
	return p
}

// runProgram runs a program with this process's streams; its exit status comes
// back as an exitError.
func (a *app) runProgram(ctx context.Context, client *agent.Client, p programOptions) error {
	env, err := completeEnv(p.env)
	if err != nil {
		return err
	}
	program := agent.Program{
		Exec: agentapi.Exec{Argv: p.argv, Line: p.line, Dir: p.dir, Env: env, WaitInit: p.waitInit},
	}
	terminal, leave, err := a.terminal(p)
	if err != nil {
		return err
	}
	defer leave()
	program.Terminal = terminal
	names, restore := a.interrupts.toGuest()
	defer restore()
	program.Signals = names
	status, err := client.Run(ctx, program, agent.Streams{Stdin: a.In, Stdout: a.Out, Stderr: a.Err})
	if err != nil {
		return err
	}
	if status != 0 {
		return exitError(status)
	}
	return nil
}

// completeEnv gives each KEY without a value its value in this process, and
// drops those that have none here, as docker does.
func completeEnv(env []string) ([]string, error) {
	var complete []string
	for _, entry := range env {
		key, _, given := strings.Cut(entry, "=")
		if key == "" {
			return nil, fmt.Errorf("--env %q names no variable", entry)
		}
		if !given {
			value, set := os.LookupEnv(key)
			if !set {
				continue
			}
			entry = key + "=" + value
		}
		complete = append(complete, entry)
	}
	return complete, nil
}
