package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) vmSSHCommand() *cobra.Command {
	var p programOptions
	var proxy bool
	c := &cobra.Command{
		Use:   "ssh [flags] NAME [LINE...]",
		Short: "Open a shell in a running VM, or have its shell run a line",
		Args:  cobra.MinimumNArgs(1),
	}
	p.addFlags(c.Flags())
	c.Flags().BoolVar(&proxy, "proxy", false, "join this process's streams to the guest's SSH server, for OpenSSH's ProxyCommand")
	c.Flags().SetInterspersed(false)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if proxy {
			return a.proxy(ctx, args[0])
		}
		p.Line = strings.Join(args[1:], " ")
		return a.runIn(ctx, args[0], p)
	})
	return c
}

func (a *app) vmExecCommand() *cobra.Command {
	var p programOptions
	c := &cobra.Command{
		Use:   "exec [flags] NAME [--] COMMAND [ARG...]",
		Short: "Run a command in a running VM",
		Args:  cobra.MinimumNArgs(1),
	}
	p.addFlags(c.Flags())
	c.Flags().SetInterspersed(false)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		p.Argv = args[1:]
		if len(p.Argv) > 0 && p.Argv[0] == "--" {
			p.Argv = p.Argv[1:]
		}
		if len(p.Argv) == 0 {
			return withHint(errors.New("no command is given"), "banger vm ssh %s opens a shell", args[0])
		}
		return a.runIn(ctx, args[0], p)
	})
	return c
}

func (a *app) runIn(ctx context.Context, name string, p programOptions) error {
	program, err := a.program(p)
	if err != nil {
		return err
	}
	return ended(a.engine.ExecVM(ctx, name, program))
}

// proxy is the ProxyCommand of vm ssh-config.
func (a *app) proxy(ctx context.Context, name string) error {
	conn, err := a.engine.DialVM(ctx, name)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	go func() {
		io.Copy(conn, a.In)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	}()
	// However this ends, it has ended: OpenSSH hangs up on its ProxyCommand after
	// every session and says itself where a connection was lost.
	io.Copy(a.raw.Out, conn)
	return nil
}

func (a *app) vmSSHConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ssh-config [NAME...]",
		Short: "Print OpenSSH configuration for VMs, for ssh, scp, rsync and editors",
		Example: "  banger vm ssh-config dev > /tmp/dev.conf\n" +
			"  scp -F /tmp/dev.conf file dev.banger:",
		RunE: a.run(func(_ context.Context, args []string) error { return a.sshConfig(args) }),
	}
}

func (a *app) sshConfig(names []string) error {
	if len(names) == 0 {
		vms, err := a.engine.ListVMs()
		if err != nil {
			return err
		}
		for _, v := range vms {
			names = append(names, v.Name)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range names {
		access, err := a.engine.SSHAccess(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Out, "Host %s\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n"+
			"  StrictHostKeyChecking yes\n  ProxyCommand %s vm ssh --proxy %s\n",
			access.Host, access.User, sshPath(access.IdentityFile), sshPath(access.KnownHostsFile), sshProgram(self), name)
	}
	return nil
}

// sshPath writes a path as ssh_config(5) wants it: within double quotes, where a
// backslash takes their meaning from it and from quotes, and with each % twice.
func sshPath(path string) string {
	return `"` + strings.NewReplacer("%", "%%", `\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// sshProgram writes a program's path for ProxyCommand, which the user's shell
// runs: within single quotes, and with each % twice for ssh itself.
func sshProgram(path string) string {
	return "'" + strings.NewReplacer("%", "%%", "'", `'\''`).Replace(path) + "'"
}
