package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/size"
	"banger/internal/snapshot"
)

func (a *app) snapshotCommand() *cobra.Command {
	return group("snapshot", "Keep VMs as they are at one moment, and go on from there",
		a.snapshotCreateCommand(), a.snapshotListCommand(), a.snapshotShowCommand(), a.snapshotRemoveCommand(),
		a.snapshotVerifyCommand(), a.snapshotRestoreCommand(),
	)
}

func (a *app) snapshotCreateCommand() *cobra.Command {
	var o engine.SnapshotOptions
	c := &cobra.Command{
		Use:   "create VM [NAME]",
		Short: "Take a snapshot of a VM, which goes on",
		Args:  cobra.RangeArgs(1, 2),
	}
	c.Flags().StringVar(&o.Description, "description", "", "what it is of, for people")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if o.VM = args[0]; len(args) == 2 {
			o.Name = args[1]
		}
		d := a.newDisplay()
		defer d.end()
		snap, err := a.engine.CreateSnapshot(ctx, o, d.show)
		if err == nil {
			fmt.Fprintln(a.Out, snap.Name)
		}
		return err
	})
	return c
}

func (a *app) snapshotListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list [VM]",
		Aliases: []string{"ls"},
		Short:   "List all snapshots, or those of a VM",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			snapshots, err := a.engine.ListSnapshots(append(args, "")[0])
			if err != nil {
				return err
			}
			return list(a, snapshots, "NAME VM KIND SIZE CREATED DESCRIPTION", func(s snapshot.Snapshot) []string {
				return []string{s.Name, s.VM.Name, snapshotKind(s), size.Size(s.DiskUsage).String(), age(s.CreatedAt), s.Description}
			})
		}),
	}
}

// snapshotKind says what is in a snapshot.
func snapshotKind(s snapshot.Snapshot) string {
	if s.Running {
		return "running"
	}
	return "disk"
}

func (a *app) snapshotShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Aliases: []string{"inspect"},
		Short:   "Show what a snapshot is of, and what it goes on in",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			s, err := a.engine.Snapshot(args[0])
			if err != nil {
				return err
			}
			return show(a, s, snapshotFields(s))
		}),
	}
}

func snapshotFields(s snapshot.Snapshot) []field {
	fields := []field{
		{"Name", s.Name},
		{"Description", s.Description},
		{"VM", s.VM.Name},
		{"Kind", snapshotKind(s)},
		{"Image", s.VM.Image},
		{"Kernel", s.VM.Kernel},
		{"Memory", memory(s.VM).String()},
		{"On disk", size.Size(s.DiskUsage).String()},
		{"Created", age(s.CreatedAt)},
	}
	if info := s.Machine.VMM; info != nil {
		fields = append(fields,
			field{"VMM", fmt.Sprintf("%s %s (%s)", info.Backend, info.Version, info.Accel)},
			field{"CPU", s.Machine.CPU},
			field{"Paused for", fmt.Sprintf("%d ms", s.PausedMillis)})
	}
	return fields
}

func (a *app) snapshotRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove snapshots; VMs that were made of them stay",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return each(ctx, a, args, func(_ context.Context, name string) error {
				return a.engine.RemoveSnapshot(name)
			})
		}),
	}
}

func (a *app) snapshotVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify NAME...",
		Short: "Check snapshots' files against their manifests",
		Args:  cobra.MinimumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return each(ctx, a, args, func(ctx context.Context, name string) error {
				return a.verified(name, a.engine.VerifySnapshot(ctx, name), false)
			})
		}),
	}
}

func (a *app) snapshotRestoreCommand() *cobra.Command {
	var o engine.RestoreOptions
	c := &cobra.Command{
		Use:   "restore NAME",
		Short: "Make a VM of a snapshot, which goes on where that was taken",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&o.Name, "name", "", "the new VM's name (default made up)")
	c.Flags().StringVar(&o.Replace, "replace", "", "put this VM, which is stopped, back to the snapshot in place of making one")
	c.Flags().BoolVar(&o.DiskOnly, "disk-only", false, "boot the snapshot's disk, as after a power cut")
	c.MarkFlagsMutuallyExclusive("name", "replace")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		o.Snapshot = args[0]
		d := a.newDisplay()
		defer d.end()
		v, err := a.engine.RestoreSnapshot(ctx, o, d.show)
		if err == nil {
			fmt.Fprintln(a.Out, v.Name)
		}
		return err
	})
	return c
}

// snapshotHint says what to do about a snapshot that cannot go on.
func snapshotHint(err error) string {
	var (
		none *snapshot.NotFoundError
		odd  *snapshot.IncompatibleError
	)
	switch {
	case errors.As(err, &none):
		return nearest(none.Nearest, "banger vm snapshot list shows those there are")
	case errors.As(err, &odd) && odd.Disk:
		return "banger vm snapshot restore --disk-only " + odd.Name + " boots its disk"
	case errors.As(err, new(*snapshot.DamagedError)):
		return "remove it; VMs that were made of it are not concerned"
	}
	return ""
}
