package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/process"
	"banger/internal/vm"
)

// editors are the programs that open a directory of a host that OpenSSH reaches:
// their arguments for one.
var editors = map[string]func(host, dir string) []string{
	"code":   func(host, dir string) []string { return []string{"code", "--remote", "ssh-remote+" + host, dir} },
	"cursor": func(host, dir string) []string { return []string{"cursor", "--remote", "ssh-remote+" + host, dir} },
	"zed": func(host, dir string) []string {
		return []string{"zed", (&url.URL{Scheme: "ssh", Host: host, Path: dir}).String()}
	},
	"idea": func(host, dir string) []string {
		return []string{"xdg-open", "jetbrains-gateway://connect#type=ssh&host=" + host + "&user=root&projectPath=" + strings.ReplaceAll(url.QueryEscape(dir), "+", "%20")}
	},
}

func (a *app) codeCommand() *cobra.Command {
	var editor string
	var o projectOptions
	c := &cobra.Command{
		Use:     "code [flags] VM|DIRECTORY [PATH]",
		Short:   "Open an editor on a running VM, or on the project of a directory, whose VM is brought up",
		Example: "  banger code .\n  banger code --editor zed dev /srv/app",
		Args:    cobra.RangeArgs(1, 2),
	}
	c.Flags().StringVar(&editor, "editor", "code", "which: "+strings.Join(slices.Sorted(maps.Keys(editors)), ", "))
	c.Flags().BoolVar(&o.agree, "agree", false, "agree to what the project's file asks for beyond the sandbox, without a question")
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "make the default image, where it is not there yet, without a question")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		argv, known := editors[editor]
		if !known {
			return fmt.Errorf("%q is none of %s", editor, strings.Join(slices.Sorted(maps.Keys(editors)), ", "))
		}
		if err := a.sshConfigIsThere(); err != nil {
			return err
		}
		name, dir, err := a.toEdit(ctx, args, o)
		if err != nil {
			return err
		}
		if len(args) > 1 {
			dir = args[1]
		}
		if !path.IsAbs(dir) {
			return fmt.Errorf("%q is no absolute path in the guest", dir)
		}
		err = process.Run(ctx, process.Cmd{Args: argv(vm.HostAlias(name), dir), Stdout: a.Err})
		if errors.As(err, new(*process.NotFoundError)) {
			err = withHint(err, "is the editor's command line tool installed? --editor names another")
		}
		return err
	})
	return c
}

func (a *app) sshConfigIsThere() error {
	file, err := userSSHConfig()
	if err != nil {
		return err
	}
	if !a.engine.SSHConfigInstalled(file) {
		return withHint(fmt.Errorf("%s does not include the VMs, so that no editor finds them", file), "banger ssh-config install")
	}
	return nil
}

// toEdit returns the VM that is meant and the directory in it.
func (a *app) toEdit(ctx context.Context, args []string, o projectOptions) (name, dir string, err error) {
	info, statErr := os.Stat(args[0])
	if strings.ContainsAny(args[0], "./") && statErr == nil && info.IsDir() {
		o.dir = args[0]
		p, up, err := a.up(ctx, o)
		if err != nil {
			return "", "", err
		}
		dir, err := a.workDir(ctx, p.VM.Name, engine.ProjectProgram(up.Spec))
		return p.VM.Name, asDirectory(dir), err
	}
	v, err := a.engine.VM(args[0])
	if err == nil && !v.State.Phase.Alive() {
		err = &vm.PhaseError{Name: v.Name, Phase: v.State.Phase}
	}
	return args[0], "/root", err
}

// asDirectory has an editor take a path for a directory's, also where its last name has a
// dot: by that code tells a file.
func asDirectory(dir string) string { return strings.TrimSuffix(dir, "/") + "/" }

// workDir asks the guest where a project's programs run.
func (a *app) workDir(ctx context.Context, name string, p engine.Program) (string, error) {
	var out line
	p.Argv = []string{"pwd"}
	p.Attach = func() (engine.Attachment, error) { return engine.Attachment{Stdout: &out, Stderr: a.Err}, nil }
	status, err := a.engine.ExecVM(ctx, name, p)
	if err == nil && status != 0 {
		err = fmt.Errorf("the guest does not say where the project is: exit status %d", status)
	}
	return strings.TrimSuffix(string(out), "\n"), err
}

// line keeps the beginning of what is written to it, as long as any path is.
type line []byte

func (l *line) Write(p []byte) (int, error) {
	*l = append(*l, p[:min(len(p), 4096-len(*l))]...)
	return len(p), nil
}
