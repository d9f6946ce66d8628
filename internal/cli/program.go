package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"banger/internal/engine"
)

// programOptions is what the flags say of a program to run in a guest.
type programOptions struct {
	engine.Program
	envFiles []string
	tty      bool
	noTTY    bool
	agent    bool // the program gets this process's SSH agent
}

func (p *programOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&p.User, "user", "u", "", "user to run as in the guest (default a container image's, else root)")
	flags.StringVarP(&p.Dir, "workdir", "w", "", "directory to run in, from the user's home (default a copied PATH, else that)")
	flags.StringArrayVarP(&p.Env, "env", "e", nil, "set a variable: KEY=VALUE, or KEY for its value here")
	flags.StringArrayVar(&p.envFiles, "env-file", nil, "set the variables of a file, a line each: KEY=VALUE, or KEY for its value here")
	flags.BoolVar(&p.WaitInit, "wait-init", false, "wait until the guest's init has finished booting")
	flags.BoolVarP(&p.tty, "tty", "t", false, "give the command a terminal (default where this one's input and output are one)")
	flags.BoolVarP(&p.agent, "ssh-agent", "A", false, "give the command your SSH agent while it runs")
	flags.BoolP("interactive", "i", true, "give the command this one's input, as it always has it")
	flags.Lookup("interactive").Hidden = true
	flags.BoolVarP(&p.noTTY, "no-tty", "T", false, "give the command no terminal")
}

// program returns what is to run, joined to this process's streams.
func (a *app) program(p programOptions) (engine.Program, error) {
	if p.tty && p.noTTY {
		return engine.Program{}, errors.New("--tty and --no-tty exclude each other")
	}
	fromFiles, err := readEnvFiles(p.envFiles)
	if err != nil {
		return engine.Program{}, err
	}
	if p.Env, err = completeEnv(slices.Concat(fromFiles, p.Env)); err != nil {
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

// attachForeground is attach for a program whose VM is a part of this process: its
// signals are the VM's. A terminal's ^C is the program's all the same.
func (a *app) attachForeground(p programOptions) (engine.Attachment, error) {
	terminal, leave, err := a.terminal(p)
	return engine.Attachment{Stdin: a.In, Stdout: a.raw.Out, Stderr: a.raw.Err, Terminal: terminal, Detach: leave}, err
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

// maxEnvFile is more than the kernel passes to any program, in bytes.
const maxEnvFile = 4 << 20

// readEnvFiles reads files of variables as docker does: a line is KEY=VALUE as it
// stands, without quotes, or KEY; empty ones and those that begin with # are not.
func readEnvFiles(paths []string) (env []string, err error) {
	for _, path := range paths {
		data, err := readAtMost(path, maxEnvFile)
		if err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
		number := 0
		for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
			number++
			line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
			if line == "" || line[0] == '#' {
				continue
			}
			key, _, _ := strings.Cut(line, "=")
			if key == "" || strings.ContainsAny(key, " \t") || strings.Contains(line, "\x00") {
				return nil, fmt.Errorf("--env-file %s, line %d: %q names no variable", path, number, key)
			}
			env = append(env, line)
		}
	}
	return env, nil
}

// readAtMost reads a file that is no larger than limit.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}
