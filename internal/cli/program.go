package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"banger/internal/engine"
)

// programOptions is what the flags say of a program to run in a guest.
type programOptions struct {
	engine.Program
	tty   bool
	noTTY bool
	agent bool // the program gets this process's SSH agent
}

func (p *programOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&p.User, "user", "u", "", "user to run as in the guest (default a container image's, else root)")
	flags.StringVarP(&p.Dir, "workdir", "w", "", "directory to run in, from the user's home (default a copied PATH, else that)")
	flags.StringArrayVarP(&p.Env, "env", "e", nil, "set a variable: KEY=VALUE, or KEY for its value here")
	flags.BoolVar(&p.WaitInit, "wait-init", false, "wait until the guest's init has finished booting")
	flags.BoolVarP(&p.tty, "tty", "t", false, "give the command a terminal (default where this one's input and output are one)")
	flags.BoolVarP(&p.agent, "ssh-agent", "A", false, "give the command your SSH agent while it runs")
	flags.BoolVarP(&p.noTTY, "no-tty", "T", false, "give the command no terminal")
}

// program returns what is to run, joined to this process's streams.
func (a *app) program(p programOptions) (engine.Program, error) {
	if p.tty && p.noTTY {
		return engine.Program{}, errors.New("--tty and --no-tty exclude each other")
	}
	var err error
	if p.Env, err = completeEnv(p.Env); err != nil {
		return engine.Program{}, err
	}
	if p.agent {
		if p.SSHAgent = os.Getenv("SSH_AUTH_SOCK"); p.SSHAgent == "" {
			return engine.Program{}, withHint(errors.New("there is no SSH agent here: SSH_AUTH_SOCK is not set"), "eval $(ssh-agent); ssh-add")
		}
	}
	p.Attach = func() (engine.Attachment, error) { return a.attach(p) }
	return p.Program, nil
}

// attach gives a program this process's streams, and its signals.
func (a *app) attach(p programOptions) (engine.Attachment, error) {
	terminal, leave, err := a.terminal(p)
	if err != nil {
		return engine.Attachment{}, err
	}
	names, restore := a.interrupts.toGuest()
	return engine.Attachment{
		Stdin: a.In, Stdout: a.raw.Out, Stderr: a.raw.Err, Terminal: terminal, Signals: names,
		Detach: func() {
			restore()
			leave()
		},
	}, nil
}

// ended is a program's end as an error.
func ended(status int, err error) error {
	if err == nil && status != 0 {
		return exitError(status)
	}
	return err
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
