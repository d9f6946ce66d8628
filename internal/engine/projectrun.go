package engine

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"banger/internal/devfile"
	"banger/internal/vm"
)

// CommandError says that a command of a project's failed.
type CommandError struct {
	Command string
	Status  int
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%q ended with the exit status %d", e.Command, e.Status)
}

// setUp copies the project's files and runs its setup commands. Where one fails, the
// next time starts over.
func (e *Engine) setUp(ctx context.Context, o UpOptions, name string) error {
	if o.Spec.Workspace == devfile.Copy {
		o.Events.stage("copying " + o.Spec.Dir)
		if err := e.bring(ctx, name, o.syncOptions()); err != nil {
			return err
		}
	}
	if err := e.runCommands(ctx, o, name, o.Spec.Setup); err != nil {
		return err
	}
	_, err := e.vms.Set(ctx, name, vm.Change{Labels: vm.Labels{setupLabel: ""}})
	return err
}

func (e *Engine) runCommands(ctx context.Context, o UpOptions, name string, commands []devfile.Command) error {
	for _, c := range commands {
		o.Events.stage("running " + c.String())
		p := ProjectProgram(o.Spec)
		p.Line, p.Argv, p.WaitInit = c.Line, c.Argv, true
		p.Attach = func() (Attachment, error) { return Attachment{Stdout: o.Events, Stderr: o.Events}, nil }
		status, err := e.ExecVM(ctx, name, p)
		if err == nil && status != 0 {
			err = &CommandError{c.String(), status}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ProjectProgram returns how a project's programs run: in the directory of its files, as
// its user, with its variables.
func ProjectProgram(s devfile.Spec) Program {
	p := Program{User: s.User, Dir: s.Workdir}
	if p.Dir == "" && s.Workspace != devfile.None {
		p.Dir = path.Base(filepath.ToSlash(s.Dir))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		p.Env = append(p.Env, name+"="+s.Env[name])
	}
	return p
}

// ShellVM runs a program, or a shell, in a project's VM that is up.
func (e *Engine) ShellVM(ctx context.Context, o UpOptions, p Program) (status int, err error) {
	name := projectVM(o.Spec)
	if err := e.runCommands(ctx, o, name, o.Spec.Attach); err != nil {
		return 0, err
	}
	return e.ExecVM(ctx, name, p)
}
