package engine

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"banger/internal/devfile"
	"banger/internal/generate"
	"banger/internal/vm"
	"banger/internal/volume"
)

// GenerateOptions say for which VM, and for what, to write a description.
type GenerateOptions struct {
	Format string        // one of generate.Formats
	VM     string        // its name, where there is no Spec
	Spec   *devfile.Spec // a project's
	// In has what the VM does not say of the program that is to run it.
	In    generate.Job
	Image string // in place of the VM's, where it is in a container
	Argv  []string
}

// ElsewhereError says that a VM needs something of this machine that a container, which
// may run on another machine, does not have.
type ElsewhereError struct {
	Of, Has string
	Remedy  string
}

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("%s has %s of this machine's", e.Of, e.Has)
}

// Generate writes the description by which a service manager or a cluster runs a
// VM. On this machine that is the VM itself, with its disk. In a container it is one
// that is made anew at each start, with the same settings.
func (e *Engine) Generate(o GenerateOptions) (string, error) {
	job := o.In
	if !generate.InContainer(o.Format) {
		if len(o.Argv) > 0 || o.Image != "" {
			return "", errors.New("a unit of systemd's starts a vm that is there: it takes no other command or image")
		}
		err := e.generateHere(&job, o)
		if err != nil {
			return "", err
		}
		return job.Text(o.Format)
	}
	v, err := e.generated(o)
	if err != nil {
		return "", err
	}
	if job.VolumeBytes, err = e.volumeBytes(v.Volumes); err != nil {
		return "", err
	}
	job.Name, job.CPUs, job.MemoryMiB, job.DiskBytes, job.Ports = v.Name, v.CPUs, v.MemoryMiB, v.DiskBytes, v.Ports
	job.Command = runCommand(v)
	return job.Text(o.Format)
}

// generateHere fills in a unit that starts a VM of this machine, or brings a project's up.
func (e *Engine) generateHere(job *generate.Job, o GenerateOptions) error {
	if len(e.Supervisor) == 0 {
		return errors.New("where banger is was not said")
	}
	job.Host.Banger, job.Host.Env = e.Supervisor[0], settingsOf(os.Environ())
	if o.Spec != nil {
		job.Name, job.Host.Builds = projectVM(*o.Spec), true
		job.Command = []string{"up", "--foreground", "--directory", o.Spec.Dir}
		return nil
	}
	v, err := e.vms.Get(o.VM)
	if err == nil && v.Ephemeral {
		err = &vm.EphemeralError{Name: v.Name}
	}
	job.Name, job.Command = v.Name, []string{"vm", "start", "--foreground", v.Name}
	return err
}

// settings are the environment variables that banger reads, of those that hold no secret.
var settings = []string{"PATH", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "BANGER_KERNELS_DIR", "BANGER_VMM", "BANGER_QEMU_BIN", "BANGER_FIRECRACKER_BIN"}

// settingsOf is what of an environment a unit has to repeat.
func settingsOf(env []string) (kept []string) {
	for _, entry := range env {
		if name, _, _ := strings.Cut(entry, "="); slices.Contains(settings, name) {
			kept = append(kept, entry)
		}
	}
	slices.Sort(kept)
	return kept
}

// generated is the VM that a container is to run.
func (e *Engine) generated(o GenerateOptions) (v vm.VM, err error) {
	if o.Spec != nil {
		v, err = e.generatedProject(*o.Spec, o.Image)
	} else if v, err = e.vms.Get(o.VM); err == nil {
		err = portable(v)
	}
	if err != nil {
		return v, err
	}
	v.Image = cmp.Or(o.Image, v.Image)
	if len(o.Argv) > 0 {
		main := vm.Main{}
		if v.Main != nil {
			main = *v.Main
		}
		main.Argv = o.Argv
		v.Main = &main
	}
	return v, nil
}

// portable returns why a VM cannot be run in a container, or nil.
func portable(v vm.VM) error {
	of := fmt.Sprintf("vm %q", v.Name)
	switch {
	case len(v.Mounts) > 0:
		return &ElsewhereError{of, "the directory " + v.Mounts[0].Source, "a volume outlives a VM on any machine, and an image has files: banger vm set --no-mounts"}
	case len(v.Networks) > 0:
		return &ElsewhereError{of, "the network " + v.Networks[0].Network, "in a cluster VMs reach each other by its services and published ports"}
	case len(v.Secrets) > 0:
		return &ElsewhereError{of, "the secret " + v.Secrets[0].Name, "make the VM without it, and add --secret to what is written, with the cluster's own secret as the variable"}
	}
	return nil
}

// generatedProject is a project's VM. Unless an image contains the project, the VM may need
// nothing of the project's files.
func (e *Engine) generatedProject(s devfile.Spec, image string) (vm.VM, error) {
	const remedy = "banger up, banger vm commit and banger image push make an image of all that, for --image"
	if image == "" {
		for _, of := range []struct {
			has  bool
			what string
		}{
			{s.Workspace != devfile.None, "the project's files"},
			{s.Build != nil, "a Dockerfile"},
			{len(s.Packages) > 0 || s.Script != "" || len(s.Features) > 0, "an image that is built on it"},
			{len(s.Setup) > 0, "setup commands"},
		} {
			if of.has {
				return vm.VM{}, &ElsewhereError{s.Path, of.what, remedy}
			}
		}
	}
	o := e.projectVMOptions(s)
	v := vm.VM{
		Name: o.Name, Image: cmp.Or(s.Image, e.Config.Image), Kernel: o.Kernel, CPUs: o.CPUs, MemoryMiB: int(o.Memory >> 20), DiskBytes: int64(o.Disk),
		HostLoopback: o.HostLoopback, Ports: o.Ports, Policy: o.Policy, Volumes: o.Volumes,
	}
	for _, m := range s.Mounts {
		if m.Source != s.Dir { // which is in the image
			v.Mounts = append(v.Mounts, m)
		}
	}
	p := ProjectProgram(s)
	main := vm.Main{User: p.User, Dir: p.Dir, Env: p.Env}
	var lines []string
	for _, c := range s.Start {
		if c.Line == "" {
			c.Line = shellLine(c.Argv)
		}
		lines = append(lines, c.Line)
	}
	if len(lines) > 0 {
		// What they leave in the background is what the VM is for.
		main.Argv = []string{"sh", "-ec", strings.Join(append(lines, "wait"), "\n")}
		v.Main = &main
	}
	return v, portable(v)
}

func shellLine(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = quote(word)
	}
	return strings.Join(words, " ")
}

// volumeBytes is how much room volumes take. Those that are not there yet are as
// large as they are made.
func (e *Engine) volumeBytes(volumes []vm.Volume) (total int64, err error) {
	for _, of := range volumes {
		v, err := e.volumes.Get(of.Name)
		switch {
		case err == nil:
			total += v.SizeBytes
		case errors.As(err, new(*volume.NotFoundError)):
			total += int64(e.Config.Disk)
		default:
			return 0, err
		}
	}
	return total, nil
}

// runCommand are the arguments by which banger runs a VM like v in a container.
func runCommand(v vm.VM) []string {
	argv := []string{"vm", "run", "--foreground", "--rm", "--name", v.Name, "--image", v.Image,
		"--cpus", strconv.Itoa(v.CPUs), "--memory", strconv.Itoa(v.MemoryMiB) + "M", "--disk", strconv.FormatInt(v.DiskBytes>>20, 10) + "M"}
	flag := func(name string, values ...string) {
		for _, value := range values {
			argv = append(argv, "--"+name+"="+value)
		}
	}
	if v.HostLoopback {
		argv = append(argv, "--host-loopback")
	}
	if v.NoNetwork {
		flag("network", "none")
	}
	if v.Policy.Egress != "" {
		flag("egress", v.Policy.Egress)
	}
	flag("allow", v.Policy.Allow...)
	flag("deny", v.Policy.Deny...)
	for _, of := range v.Volumes {
		flag("volume", of.String())
	}
	for _, p := range v.Ports {
		flag("publish", generate.Inside(p))
	}
	if v.Main == nil {
		return argv
	}
	if v.Main.User != "" {
		flag("user", v.Main.User)
	}
	if v.Main.Dir != "" {
		flag("workdir", v.Main.Dir)
	}
	flag("env", v.Main.Env...)
	if v.Main.WaitInit {
		argv = append(argv, "--wait-init")
	}
	if len(v.Main.Argv) > 0 {
		argv = append(append(argv, "--"), v.Main.Argv...)
	}
	return argv
}
