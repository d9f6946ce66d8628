package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"banger/internal/smallfile"
	"banger/internal/sshconfig"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// SSHAccess returns how OpenSSH logs in to a VM.
func (e *Engine) SSHAccess(name string) (sshconfig.Entry, error) {
	if _, err := e.vms.Get(name); err != nil {
		return sshconfig.Entry{}, err
	}
	home := ""
	if u, err := user.Current(); err == nil {
		home = u.HomeDir
	}
	return sshconfig.Entry{
		Home: home,
		Host: vm.HostAlias(name), User: guestRoot, Program: e.Supervisor[0], VM: name,
		IdentityFile:   e.vms.Path(name, statedir.ClientKey),
		KnownHostsFile: e.vms.Path(name, statedir.KnownHosts),
	}, nil
}

// writeSSHConfig writes the file that a user's own configuration may include. It is
// written anew at each start, so nothing relies on its being whole. If it would name paths
// that OpenSSH cannot read, there is no such file.
func (e *Engine) writeSSHConfig(name string) error {
	entry, err := e.SSHAccess(name)
	if err != nil {
		return err
	}
	text, err := entry.Text()
	if errors.As(err, new(*sshconfig.PathError)) {
		return nil
	}
	path := e.vms.Path(name, statedir.SSHConfig)
	if had, err := os.ReadFile(path); err == nil && string(had) == text {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// InstallSSHConfig makes an OpenSSH configuration, such as ~/.ssh/config, include the VMs.
// changed is false if it did so before. A file that is a link stays one.
func (e *Engine) InstallSSHConfig(file string) (changed bool, err error) {
	return editSSHConfig(file, func(config []byte) ([]byte, error) {
		return sshconfig.Install(config, e.Dirs.VMTree().Dir, statedir.SSHConfig)
	})
}

// UninstallSSHConfig removes what InstallSSHConfig added.
func (e *Engine) UninstallSSHConfig(file string) (changed bool, err error) {
	return editSSHConfig(file, func(config []byte) ([]byte, error) { return sshconfig.Uninstall(config), nil })
}

// SSHConfigInstalled reports whether a configuration includes the VMs.
func (e *Engine) SSHConfigInstalled(file string) bool {
	config, err := smallfile.Read(file, maxSSHConfig)
	return err == nil && sshconfig.Installed(config, e.Dirs.VMTree().Dir, statedir.SSHConfig)
}

// maxSSHConfig is more than a configuration of OpenSSH's has, in bytes.
const maxSSHConfig = 4 << 20

func editSSHConfig(file string, change func([]byte) ([]byte, error)) (changed bool, err error) {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	config, err := smallfile.Read(file, maxSSHConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read OpenSSH's configuration: %w", err)
	}
	wanted, err := change(config)
	if err != nil || string(wanted) == string(config) {
		return false, err
	}
	if err := statedir.MakeDir(filepath.Dir(file)); err != nil {
		return false, err
	}
	return true, statedir.WriteFile(file, wanted)
}
