package cli

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"banger/internal/engine"
	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
	"banger/internal/jail"
	"banger/internal/process"
	"banger/internal/registry"
	"banger/internal/vmm/firecracker"
)

// programHint says how to get what banger runs.
func programHint(err error) string {
	var (
		program *process.NotFoundError
		noTool  *imagebuild.NoToolError
	)
	switch {
	case errors.As(err, &program):
		return installHint(program)
	case errors.As(err, new(*imagebuild.PackagesError)):
		return "--script can call that distribution's own package manager"
	case errors.As(err, &noTool) && noTool.Docker == nil:
		return "docker, podman or buildah does; " + installHint(&process.NotFoundError{Program: "buildah"})
	case errors.As(err, &noTool):
		return "check that its daemon runs and that you may use it, or install podman or buildah"
	}
	return ""
}

func installHint(missing *process.NotFoundError) string {
	program := missing.Program
	if missing.HasPath() {
		return "its path comes from BANGER_QEMU_BIN, BANGER_FIRECRACKER_BIN or config.toml"
	}
	if program == firecracker.Name {
		return "put it on PATH; https://github.com/firecracker-microvm/firecracker/releases has it"
	}
	name := debianPackages[program]
	if name == "" {
		name = program
	}
	return "on Debian and Ubuntu: sudo apt install " + name
}

// debianPackages are the Debian packages of the programs that banger runs.
var debianPackages = map[string]string{
	"qemu-system-x86_64": "qemu-system-x86",
	"apt-get":            "apt",
	"apt-cache":          "apt",
	"dpkg-deb":           "dpkg",
}

// programNoSpace reports whether a program says that there is no space left, for
// which it has words only.
func programNoSpace(err error) bool {
	failed, ok := errors.AsType[*process.Error](err)
	return ok && strings.Contains(failed.Error(), "No space left on device")
}

// hostHint says what to do where the host refuses.
func (a *app) hostHint(err error) string {
	switch {
	case errors.As(err, new(*engine.FullError)):
		return a.noSpaceHint(err) + "; files that are there are whole"
	case errors.Is(err, syscall.ENOSPC) || programNoSpace(err):
		return a.noSpaceHint(err) + "; nothing was left behind"
	case errors.Is(err, syscall.EDQUOT):
		return "your quota of the disk is used up; nothing was left behind"
	case errors.As(err, new(*registry.PlainHTTPError)):
		return "--insecure speaks plain http to it, and insecure_registries in config.toml always; what comes so, and your login, others can read and change"
	case errors.As(err, new(*imagemgr.LimitError)):
		return "image pull --max-size and --max-entries, or max_image_size and max_image_entries in config.toml, allow more"
	case errors.Is(err, fs.ErrPermission):
		return "check the file's owner and mode"
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
