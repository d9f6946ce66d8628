package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/devfile"
	"banger/internal/engine"
	"banger/internal/generate"
)

func (a *app) generateCommand() *cobra.Command {
	return group("generate", "Write what has systemd, podman, Nomad or Kubernetes run a VM",
		a.generateSystemdCommand(),
		a.generateContainerCommand("quadlet", "Write a .container file for podman's Quadlet"),
		a.generateContainerCommand("nomad", "Write a job for Nomad, in JSON"),
		a.generateContainerCommand("kubernetes", "Write manifests for Kubernetes"),
	)
}

func (a *app) generateSystemdCommand() *cobra.Command {
	o := engine.GenerateOptions{Format: "systemd"}
	var system bool
	c := &cobra.Command{
		Use:   "systemd [flags] NAME|FILE",
		Short: "Write a unit for systemd that runs a VM that is there, or a project's",
		Example: "  banger generate systemd web > ~/.config/systemd/user/web.service\n" +
			"  systemctl --user enable --now web",
		Args: cobra.ExactArgs(1),
	}
	addRestartFlag(c, &o.In.Restart)
	c.Flags().BoolVar(&system, "system", false, "a unit of the system's, which runs it as you")
	c.RunE = a.run(func(_ context.Context, args []string) error {
		if system {
			who, err := user.Current()
			if err != nil {
				return err
			}
			o.In.Host.User = who.Username
		}
		return a.generate(o, args[0])
	})
	return c
}

func (a *app) generateContainerCommand(format, short string) *cobra.Command {
	o := engine.GenerateOptions{Format: format}
	kvm := true
	c := &cobra.Command{
		Use:   format + " [flags] NAME|FILE [-- COMMAND...]",
		Short: short + ", which runs a VM like one that is there, or a project's",
		Args:  oneBeforeDash,
	}
	flags := c.Flags()
	addRestartFlag(c, &o.In.Restart)
	flags.StringVar(&o.In.Image, "container", "localhost/banger", "the container image that has banger, see images/banger")
	flags.StringVar(&o.Image, "image", "", "image to boot, in place of the VM's or the file's")
	if format != "quadlet" {
		flags.IntVar(&o.In.Replicas, "replicas", 1, "number of VMs")
		flags.BoolVar(&kvm, "kvm", true, "use the nodes' /dev/kvm; guests are emulated otherwise")
	}
	device := "/dev/kvm"
	if format == "kubernetes" {
		flags.StringVar(&device, "kvm-resource", "devices.kubevirt.io/kvm", "what a device plugin calls the nodes' /dev/kvm")
	}
	c.RunE = a.run(func(_ context.Context, args []string) error {
		if kvm {
			o.In.KVM = device
		}
		o.Argv = args[1:]
		return a.generate(o, args[0])
	})
	return c
}

func addRestartFlag(c *cobra.Command, restart *generate.Restart) {
	*restart = generate.OnFailure
	c.Flags().StringVar((*string)(restart), "restart", string(generate.OnFailure), "when a VM that ended is run again: no, on-failure or always")
}

// oneBeforeDash wants one argument, and a command behind a --.
func oneBeforeDash(c *cobra.Command, args []string) error {
	if dash := c.ArgsLenAtDash(); len(args) > 1 && dash != 1 {
		return withHint(errors.New("a command stands behind --"), "%s %s -- %s", c.CommandPath(), args[0], strings.Join(args[1:], " "))
	}
	return cobra.MinimumNArgs(1)(c, args)
}

func (a *app) generate(o engine.GenerateOptions, of string) error {
	o.VM = of
	if namesFile(of) {
		s, err := projectOf(of)
		if err != nil {
			return err
		}
		o.Spec = &s
	}
	text, err := a.engine.Generate(o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.Out, text)
	return err
}

// namesFile tells a project's file, or its directory, from a VM's name.
func namesFile(of string) bool {
	ext := filepath.Ext(of)
	return of == "." || of == ".." || strings.ContainsRune(of, filepath.Separator) || ext == ".toml" || ext == ".json"
}

// projectOf reads a project's file.
func projectOf(path string) (devfile.Spec, error) {
	info, err := os.Stat(path)
	if err != nil {
		return devfile.Spec{}, err
	}
	dir := path
	if !info.IsDir() {
		dir = filepath.Dir(path)
	}
	s, err := devfile.Find(dir, os.Getenv)
	if err != nil || info.IsDir() {
		return s, err
	}
	if found, err := os.Stat(s.Path); err != nil || !os.SameFile(info, found) {
		return s, fmt.Errorf("%s is no project's file: it is %s that counts there", path, s.Path)
	}
	return s, nil
}
