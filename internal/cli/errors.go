package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"banger/internal/catalog"
	"banger/internal/config"
	"banger/internal/engine"
	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
	"banger/internal/jail"
	"banger/internal/kernel"
	"banger/internal/process"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/vmm/firecracker"
)

// The exit codes that are banger's own, docker's where docker has one. Any
// other is the guest command's.
const (
	exitFailure     = 125
	exitInterrupted = 130
)

// exitError is the exit status of a command in a guest: no failure of banger's.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// hinted adds to an error what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// report prints err, if it is one, and returns the exit code that it means.
func (a *app) report(ctx context.Context, err error) int {
	var status exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.Err, "banger: interrupted")
		return exitInterrupted
	}
	for _, line := range consoleOf(err) {
		fmt.Fprintln(a.Err, "  |", printable(line))
	}
	message := err.Error()
	if h := a.hint(err); h != "" {
		message += " (" + h + ")"
	}
	fmt.Fprintln(a.Err, "banger:", oneLine(message))
	return exitFailure
}

// consoleOf returns the guest's last words, where it was the guest that failed.
func consoleOf(err error) []string {
	var start *vm.StartError
	if errors.As(err, &start) {
		return start.Console
	}
	return nil
}

// hint says what to do about err, or "".
func (a *app) hint(err error) string {
	var (
		given    *hinted
		noVM     *vm.NotFoundError
		noImage  *imagemgr.NotFoundError
		noKernel *kernel.NotFoundError
		noEntry  *catalog.NotFoundError
		noSource *config.NoCatalogError
		taken    *kernel.TakenError
		inUse    *engine.InUseError
		phase    *vm.PhaseError
		program  *process.NotFoundError
		start    *vm.StartError
		other    *imagebuild.OtherInputsError
		packages *imagebuild.PackagesError
		noTool   *imagebuild.NoToolError
	)
	switch {
	case errors.As(err, &given):
		return given.hint
	case engineHint(err) != "":
		return engineHint(err)
	case errors.As(err, &noVM):
		return nearest(noVM.Nearest, "banger vm list shows those there are")
	case errors.As(err, &noImage):
		return nearest(noImage.Nearest, "banger image list shows those there are, banger image pull gets more")
	case errors.As(err, &noKernel):
		return nearest(noKernel.Nearest, "banger kernel list shows those there are, banger kernel pull gets more")
	case errors.As(err, &noEntry):
		return nearest(noEntry.Nearest, availableHint(noEntry.Kind))
	case errors.As(err, &noSource):
		return "banger catalog list shows those there are"
	case errors.As(err, &inUse):
		return inUseHint(inUse)
	case errors.As(err, &taken):
		return "--force replaces it, or remove it first"
	case errors.As(err, &phase):
		return phaseHint(phase)
	case errors.As(err, &program):
		return installHint(program.Program)
	case vmmHint(err) != "":
		return vmmHint(err)
	case errors.As(err, &other):
		return "choose another name, or replace it by --force"
	case errors.As(err, &packages):
		return "--script can call that distribution's own package manager"
	case errors.As(err, &noTool) && noTool.Docker == nil:
		return "docker, podman or buildah does; " + installHint("buildah")
	case errors.As(err, &noTool):
		return "check that its daemon runs and that you may use it, or install podman or buildah"
	case errors.As(err, &start) && start.Hint != "":
		return start.Hint
	case errors.Is(err, syscall.ENOSPC):
		return a.noSpaceHint(err) + "; nothing was left behind"
	case errors.Is(err, syscall.EDQUOT):
		return "your quota of the disk is used up; nothing was left behind"
	case errors.Is(err, statedir.ErrExist):
		return "choose another name, or remove that one first"
	case errors.Is(err, fs.ErrPermission):
		return "check the file's owner and mode"
	}
	return ""
}

func availableHint(kind catalog.Kind) string {
	if kind == catalog.Images {
		return "banger image list --available shows those there are; a registry's is called like docker.io/library/debian"
	}
	return "banger kernel list --available shows those there are"
}

func nearest(name, otherwise string) string {
	if name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return otherwise
}

func inUseHint(e *engine.InUseError) string {
	if e.Kind == "image" {
		return "banger vm rm removes a vm"
	}
	return "--force removes it all the same"
}

// engineHint says what to do where an operation is not told enough.
func engineHint(err error) string {
	switch {
	case errors.As(err, new(*engine.NoNameError)):
		return "give one by --name"
	case errors.As(err, new(*engine.NoKernelError)):
		return "give one by --kernel"
	case errors.As(err, new(engine.WhichKernelError)):
		return "give one by --kernel-ref; banger kernel list shows those there are"
	case errors.As(err, new(*engine.ImageKernelError)):
		return "--kernel-ref names another kernel"
	case errors.As(err, new(*engine.NotAgreedError)):
		return "--yes has banger make one; banger image pull gets others"
	case errors.As(err, new(*engine.NoSourceError)):
		return "such as generic-6.12 or apt:linux-image-cloud-amd64"
	case errors.Is(err, engine.ErrFixedName):
		return "--name is for packages"
	}
	return ""
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

func phaseHint(e *vm.PhaseError) string {
	if e.Phase == vm.Paused {
		return "banger vm resume " + e.Name + " lets it go on"
	}
	if e.Phase.Alive() {
		return "banger vm stop " + e.Name + " stops it"
	}
	return "banger vm start " + e.Name + " starts it"
}

// debianPackages are the Debian packages of the programs that banger runs.
var debianPackages = map[string]string{
	"qemu-system-x86_64": "qemu-system-x86",
	"mkfs.ext4":          "e2fsprogs",
	"apt-get":            "apt",
	"apt-cache":          "apt",
	"dpkg-deb":           "dpkg",
}

func installHint(program string) string {
	if program == firecracker.Name {
		return "put it on PATH; https://github.com/firecracker-microvm/firecracker/releases has it"
	}
	name := debianPackages[program]
	if name == "" {
		name = program
	}
	return "on Debian and Ubuntu: sudo apt install " + name
}
