package engine

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"path"
	"slices"
	"strings"

	"banger/internal/agent"
	"banger/internal/agentapi"
	"banger/internal/imagemgr"
)

// guestRoot is the user whom programs run as by default.
const guestRoot = "root"

// Program is a program to run in a guest, and how. Empty fields are filled in from the
// image, if that is a container's and has no init.
type Program struct {
	Argv     []string
	Line     string // for the user's shell, in place of Argv; with neither it is that shell
	Dir      string // below the user's home where relative; "" is that
	Env      []string
	User     string // "" is root
	WaitInit bool   // wait until the guest's init has finished booting
	SSHAgent string // a socket of the host's that leads to an SSH agent, which the program gets too; "" is none

	makeDir bool // Dir is the image's own
	first   bool // it is the image's own, which may have to be PID 1

	note func(Program) (end func(status int, err error)) // records a run; nil does not

	// Attach opens the program's streams when it is about to start. What it returns is
	// closed when the program has ended. nil gives it no streams.
	Attach func() (Attachment, error)
}

// Attachment is what a program's streams are joined to.
type Attachment struct {
	Stdin    io.Reader // nil is an empty one
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal *agent.Terminal // nil is none
	Signals  <-chan string   // for the program: names without SIG
	Patient  bool            // signals wait for the program, and hang up on nothing
	Detach   func()          // may be nil
}

// ExecVM runs a program in a running VM and returns its exit status.
func (e *Engine) ExecVM(ctx context.Context, name string, p Program) (status int, err error) {
	image, err := e.container(name)
	if err != nil {
		return 0, err
	}
	p = p.in(image)
	p.note = e.noteExec(name)
	return p.forwardAndRun(ctx, e.agent(name, p.User))
}

// agent speaks to a VM's guest, as user.
func (e *Engine) agent(name, user string) *agent.Client {
	dial := func(ctx context.Context) (net.Conn, error) { return e.vms.Link(ctx, name) }
	return agent.New(dial, user)
}

// container returns the configuration of a running VM's image, if that is a container's
// and has no init; else nil.
func (e *Engine) container(name string) (*imagemgr.Config, error) {
	v, err := e.vms.Get(name)
	if err != nil || v.State.Guest == nil || v.State.Guest.Init != "" {
		return nil, err
	}
	image, err := e.images.Get(v.Image)
	if errors.As(err, new(*imagemgr.NotFoundError)) {
		return nil, nil // removed meanwhile
	}
	return ofContainer(withoutSecrets(image.Config, v), v.Name), err
}

// containerPath is the PATH that container engines set for every user if the image sets
// none.
const containerPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ofContainer adds the variables that container engines set, before the image's.
func ofContainer(c *imagemgr.Config, host string) *imagemgr.Config {
	if c == nil {
		return nil
	}
	with := *c
	with.Env = append([]string{containerPath, "HOSTNAME=" + host}, c.Env...)
	return &with
}

// in completes the program by what a container's image says, if it is one.
func (p Program) in(c *imagemgr.Config) Program {
	if c != nil {
		p.Env = slices.Concat(assigned(c.Env), p.Env)
		if p.Dir == "" {
			// Images need not hold their directory; container engines make it.
			p.Dir, p.makeDir = path.Join("/", c.WorkingDir), c.WorkingDir != ""
		}
		p.User = cmp.Or(p.User, c.User)
	}
	p.User = cmp.Or(p.User, guestRoot)
	return p
}

// assigned drops the entries of an image's environment that assign nothing.
func assigned(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		return strings.Index(entry, "=") <= 0
	})
}

// guest is a running guest, as *agent.Client is.
type guest interface {
	Run(ctx context.Context, p agent.Program, streams agent.Streams) (int, error)
}

// run runs a completed program.
func (p Program) run(ctx context.Context, in guest) (int, error) {
	to := Attachment{Stdout: io.Discard, Stderr: io.Discard}
	if p.Attach != nil {
		var err error
		if to, err = p.Attach(); err != nil {
			return 0, err
		}
	}
	if to.Detach != nil {
		defer to.Detach()
	}
	end := func(int, error) {}
	if p.note != nil {
		end = p.note(p)
	}
	status, err := in.Run(ctx, agent.Program{
		Exec:     agentapi.Exec{Argv: p.Argv, Line: p.Line, Dir: p.Dir, Env: p.Env, First: p.first, MakeDir: p.makeDir, WaitInit: p.WaitInit},
		Terminal: to.Terminal, Signals: to.Signals, Patient: to.Patient,
	}, agent.Streams{Stdin: to.Stdin, Stdout: to.Stdout, Stderr: to.Stderr})
	end(status, err)
	return status, err
}
