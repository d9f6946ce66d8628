package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/size"
	"banger/internal/vm"
	"banger/internal/volume"
)

// volumesFlag takes volumes, each time one more.
type volumesFlag []vm.Volume

func (f *volumesFlag) Set(text string) error {
	v, err := vm.ParseVolume(text)
	*f = append(*f, v)
	return err
}

func (f *volumesFlag) String() string { return volumeList(*f) }
func (f *volumesFlag) Type() string   { return "volume" }

// volumeFlag takes volumes, and as docker's does directories of the host: those begin
// with / or a dot.
type volumeFlag struct {
	*volumesFlag
	mounts *mountsFlag
}

func (f *volumeFlag) Set(text string) error {
	if strings.HasPrefix(text, "/") && strings.Contains(text, ":") || strings.HasPrefix(text, ".") {
		return f.mounts.Set(text)
	}
	return f.volumesFlag.Set(text)
}

// volumeList is volumes as they are asked for.
func volumeList(volumes []vm.Volume) string {
	var all []string
	for _, v := range volumes {
		all = append(all, v.String())
	}
	return strings.Join(all, ",")
}

func (a *app) volumeCommand() *cobra.Command {
	return group("volume", "Manage volumes: file systems that outlive the VMs that have them",
		a.volumeCreateCommand(), a.volumeListCommand(), a.volumeShowCommand(), a.volumeSetCommand(),
		a.volumeRemoveCommand(), a.volumePruneCommand(),
	)
}

func (a *app) volumeCreateCommand() *cobra.Command {
	var o engine.VolumeOptions
	bytes := a.engine.Config.Disk
	c := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make an empty volume, and print its name",
		Example: "  banger volume create data --size 20G\n  banger vm run --volume data:/srv/data",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().Var(&bytes, "size", "the volume's size, such as 8G; what is not written takes no disk")
	c.Flags().VarP(&o.Labels, "label", "l", "note KEY=VALUE on the volume; may be repeated")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		o.Name, o.Size = args[0], int64(bytes)
		v, err := a.engine.CreateVolume(ctx, o)
		if err == nil {
			_, err = fmt.Fprintln(a.Out, v.Name)
		}
		return err
	})
	return c
}

func (a *app) volumeListCommand() *cobra.Command {
	var labels vm.Labels
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List all volumes",
		Args:    noArgs,
	}
	c.Flags().VarP(&labels, "label", "l", "only those that have the label KEY=VALUE, or KEY; may be repeated")
	c.RunE = a.run(func(context.Context, []string) error {
		volumes, err := a.engine.ListVolumes(labels)
		if err != nil {
			return err
		}
		return list(a, volumes, "NAME SIZE USED VMS CREATED", func(v engine.Volume) []string {
			return []string{
				v.Name, size.Size(v.SizeBytes).String(), size.Size(v.DiskUsage).String(), volumeUsers(v), age(v.CreatedAt),
			}
		})
	})
	return c
}

// volumeUsers is a volume's VMs, those that run with a star.
func volumeUsers(v engine.Volume) string {
	var all []string
	for _, user := range v.Users {
		name := user.VM
		if user.Attached {
			name += "*"
		}
		all = append(all, name)
	}
	return strings.Join(all, ",")
}

func (a *app) volumeShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Aliases: []string{"inspect"},
		Short:   "Show a volume, and which VMs have it",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			v, err := a.engine.Volume(args[0])
			if err != nil {
				return err
			}
			return show(a, v, volumeFields(v))
		}),
	}
}

func volumeFields(v engine.Volume) []field {
	fields := []field{
		{"Name", v.Name},
		{"Size", size.Size(v.SizeBytes).String()},
		{"On disk", size.Size(v.DiskUsage).String()},
		{"Labels", v.Labels.String()},
		{"Created", age(v.CreatedAt)},
	}
	for _, user := range v.Users {
		at := user.VM + " at " + user.Path
		if user.ReadOnly {
			at += ", read-only"
		}
		if user.Attached {
			at += ", attached"
		}
		fields = append(fields, field{"VM", at})
	}
	return fields
}

func (a *app) volumeSetCommand() *cobra.Command {
	var change volume.Change
	var bytes size.Size
	c := &cobra.Command{
		Use:     "set [flags] NAME...",
		Short:   "Change volumes",
		Example: "  banger volume set --size 40G data",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().Var(&bytes, "size", "the volume's size, which can only grow, also while a VM writes to it")
	c.Flags().VarP(&change.Labels, "label", "l", "note KEY=VALUE on the volume, or take KEY= away; may be repeated")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if c.Flags().Changed("size") {
			if change.Size = int64(bytes); bytes == 0 {
				return errors.New("a volume of size 0: it can only grow")
			}
		} else if len(change.Labels) == 0 {
			return errors.New("no setting is given")
		}
		return each(ctx, a, args, func(ctx context.Context, name string) error {
			_, err := a.engine.SetVolume(ctx, name, change, a.newDisplay().show)
			return err
		})
	})
	return c
}

func (a *app) volumeRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove volumes that no VM has, and all that is in them",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return each(ctx, a, args, a.engine.RemoveVolume)
		}),
	}
}

func (a *app) volumePruneCommand() *cobra.Command {
	return a.pruneCommand("Remove the volumes that no VM has, and all that is in them", "Remove all volumes that no VM has, and all that is in them?",
		func(ctx context.Context, labels vm.Labels) error {
			removed, err := a.engine.PruneVolumes(ctx, labels)
			var freed int64
			for _, v := range removed {
				fmt.Fprintln(a.Out, v.Name)
				freed += v.DiskUsage
			}
			a.say("freed %s", size.Size(freed))
			return err
		})
}

// volumeHint says what to do about a volume that cannot be had.
func volumeHint(err error) string {
	var (
		none     *volume.NotFoundError
		dirty    *volume.DirtyError
		attached *volume.AttachedError
		volumes  *vm.VolumesError
	)
	switch {
	case errors.As(err, &none):
		return nearest(none.Nearest, "banger volume list shows those there are, banger volume create makes one")
	case errors.As(err, &dirty):
		return fmt.Sprintf("banger vm run --rm --volume %s:/mnt -- true repairs it", dirty.Name)
	case errors.As(err, &attached):
		return "one vm can write to it, or several read it: banger vm stop stops one"
	case errors.As(err, &volumes):
		return fmt.Sprintf("stop it first: banger vm stop %s; a snapshot is of the vm's own disk then", volumes.Name)
	}
	return ""
}
