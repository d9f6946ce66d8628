package cli

import (
	"context"
	"errors"
	"io"
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
	status, err := a.engine.ExecVM(ctx, name, program)
	if status != 0 || err != nil {
		a.sayDiskError(name)
	}
	return ended(status, err)
}

// sayDiskError says why commands in a VM may fail, whose guest has lost its disk.
func (a *app) sayDiskError(name string) {
	if v, err := a.engine.VM(name); err == nil && v.State.DiskError != "" {
		a.say("vm %s: %s; once there is room, banger vm restart %s", name, v.State.DiskError, name)
	}
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
