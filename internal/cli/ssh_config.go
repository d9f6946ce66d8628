package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) vmSSHConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ssh-config [NAME...]",
		Short: "Print OpenSSH configuration for VMs, for ssh, scp, rsync and editors",
		Example: "  banger vm ssh-config dev > /tmp/dev.conf\n" +
			"  scp -F /tmp/dev.conf file dev.banger:",
		RunE: a.run(func(_ context.Context, args []string) error { return a.printSSHConfig(args) }),
	}
}

func (a *app) printSSHConfig(names []string) error {
	if len(names) == 0 {
		vms, err := a.engine.ListVMs()
		if err != nil {
			return err
		}
		for _, v := range vms {
			names = append(names, v.Name)
		}
	}
	for _, name := range names {
		access, err := a.engine.SSHAccess(name)
		if err != nil {
			return err
		}
		text, err := access.Text()
		if err != nil {
			return err
		}
		fmt.Fprint(a.Out, text)
	}
	return nil
}

// sshConfigCommand keeps the user's own configuration.
func (a *app) sshConfigCommand() *cobra.Command {
	c := group("ssh-config", "Have OpenSSH and editors know all VMs, as NAME.banger",
		a.sshConfigChangeCommand("install", "Have ~/.ssh/config include the VMs, those to come too",
			"includes the VMs: ssh NAME.banger", a.installSSHConfig),
		a.sshConfigChangeCommand("uninstall", "Take out of ~/.ssh/config what install put in",
			"does not include the VMs any more", a.uninstallSSHConfig),
	)
	return c
}

func (a *app) installSSHConfig(file string) (bool, error)   { return a.engine.InstallSSHConfig(file) }
func (a *app) uninstallSSHConfig(file string) (bool, error) { return a.engine.UninstallSSHConfig(file) }

func (a *app) sshConfigChangeCommand(name, short, done string, change func(file string) (bool, error)) *cobra.Command {
	var file string
	c := &cobra.Command{Use: name, Short: short, Args: noArgs}
	c.Flags().StringVar(&file, "file", "", "the configuration to change (default ~/.ssh/config)")
	c.RunE = a.run(func(context.Context, []string) (err error) {
		if file == "" {
			if file, err = userSSHConfig(); err != nil {
				return err
			}
		}
		changed, err := change(file)
		if err == nil && changed {
			a.say("%s %s", file, done)
		}
		return err
	})
	return c
}

func userSSHConfig() (string, error) {
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".ssh", "config"), err
}
