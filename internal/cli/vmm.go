package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"banger/internal/jail"
	"banger/internal/process"
	"banger/internal/vmm"
	"banger/internal/vmm/firecracker"
	"banger/internal/vmm/pick"
)

// jailName is the command that becomes Firecracker, below internal.
const jailName = "jail"

func jailCommand() *cobra.Command {
	return &cobra.Command{
		Use:                jailName,
		Short:              "Become a program in a jail of its own",
		DisableFlagParsing: true,
		RunE:               func(_ *cobra.Command, args []string) error { return jail.Main(args) },
	}
}

// backend returns the VMM of a choice.
func (a *app) backend(choice string) (vmm.Backend, error) {
	if err := pick.Check(choice); err != nil {
		return nil, err
	}
	options, err := a.firecracker()
	if err != nil {
		return nil, err
	}
	return pick.New(pick.Options{Choice: choice, QEMU: a.config.QEMU, Firecracker: options}), nil
}

// firecracker returns where Firecracker is, and how banger makes its jail.
func (a *app) firecracker() (firecracker.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return firecracker.Options{}, fmt.Errorf("find banger's own executable: %w", err)
	}
	return firecracker.Options{
		Binary: a.config.Firecracker,
		Dir:    a.dirs.BinDir(),
		Jail:   []string{self, "internal", jailName},
	}, nil
}

// vmmHint says what to do where a host does not let its users run VMMs.
func vmmHint(err error) string {
	var (
		device *jail.DeviceError
		old    *firecracker.VersionError
	)
	switch {
	case errors.As(err, &device) && errors.Is(err, fs.ErrPermission):
		return "sudo chmod 666 " + jail.Device + ", as distributions have it"
	case errors.As(err, &device):
		return "sudo modprobe tun"
	case errors.As(err, new(*process.NamespaceError)):
		return "sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000"
	case errors.As(err, new(*jail.RefusedError)):
		return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case errors.As(err, &old):
		return "https://github.com/firecracker-microvm/firecracker/releases has newer ones"
	}
	return ""
}
