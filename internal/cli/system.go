package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/size"
)

func (a *app) systemCommand() *cobra.Command {
	return group("system", "See and clear up what banger has on this machine",
		a.systemUsageCommand(), a.systemPruneCommand(), a.systemInfoCommand(),
	)
}

func (a *app) systemUsageCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "df",
		Short: "Show what takes how much of the disk, and what of that nothing needs",
		Args:  noArgs,
		RunE: a.run(func(context.Context, []string) error {
			shares, err := a.engine.DiskUsage()
			if err != nil {
				return err
			}
			return list(a, shares, "KIND COUNT IN-USE SIZE RECLAIMABLE", func(s engine.Share) []string {
				return []string{
					s.Kind, strconv.Itoa(s.Count), strconv.Itoa(s.InUse), size.Size(s.Size).String(), size.Size(s.Reclaimable).String(),
				}
			})
		}),
	}
}

func (a *app) systemPruneCommand() *cobra.Command {
	var o engine.PruneOptions
	var force bool
	var filters []string
	c := &cobra.Command{
		Use:   "prune",
		Short: "Remove the VMs that are stopped and what is kept for the next time, and with --all and --volumes more",
		Example: "  banger system prune --filter until=24h\n" +
			"  banger system prune --all --volumes",
		Args: noArgs,
	}
	flags := c.Flags()
	flags.BoolVarP(&o.All, "all", "a", false, "remove the images that no VM uses, the kernels that nothing needs and the warm templates, too")
	flags.BoolVar(&o.Volumes, "volumes", false, "remove the volumes that no VM has, too")
	flags.BoolVarP(&force, "force", "f", false, "ask nothing on a terminal")
	flags.StringArrayVar(&filters, "filter", nil, "of VMs and volumes, only those with label=KEY[=VALUE]; VMs down for until=DURATION; may be repeated")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if err := pruneFilters(filters, &o); err != nil {
			return err
		}
		if !force {
			if err := a.confirm(ctx, pruneQuestion(o)); err != nil {
				return err
			}
		}
		removed, freed, err := a.engine.PruneSystem(ctx, o)
		if a.format == formatJSON {
			if removed == nil {
				removed = []engine.Removed{}
			}
			if printErr := printJSON(a.Out, map[string]any{"removed": removed, "freed": freed}); err == nil {
				err = printErr
			}
			return err
		}
		for _, r := range removed {
			fmt.Fprintln(a.Out, r.Kind, r.Name)
		}
		a.say("freed %s", size.Size(freed))
		return err
	})
	return c
}

func pruneFilters(filters []string, o *engine.PruneOptions) error {
	for _, filter := range filters {
		kind, value, _ := strings.Cut(filter, "=")
		switch kind {
		case "label":
			if err := o.Labels.Set(value); err != nil {
				return err
			}
		case "until":
			age, err := time.ParseDuration(value)
			if err != nil || age < 0 {
				return fmt.Errorf("--filter %s: %q is no duration: write 90m or 24h", filter, value)
			}
			o.Age = age
		default:
			return fmt.Errorf("--filter %s: the kinds are label and until", filter)
		}
	}
	return nil
}

// pruneQuestion says what is about to go.
func pruneQuestion(o engine.PruneOptions) string {
	what := []string{"all VMs that are stopped, with what is on their disks", "what was fetched from registries"}
	if len(o.Labels) > 0 || o.Age > 0 {
		what[0] = "those VMs that are stopped, with what is on their disks"
	}
	if o.All {
		what = append(what, "the images that no VM uses", "the kernels that nothing needs", "the warm templates")
	}
	if o.Volumes {
		what = append(what, "THE VOLUMES that no VM has, with all that is in them")
	}
	return "Remove " + strings.Join(what, "; ") + "?"
}

func (a *app) systemInfoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "Show versions, the VMM, paths, counts and the configuration in force",
		Args:  noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			info, err := a.engine.SystemInfo(ctx)
			if err != nil {
				return err
			}
			return show(a, info, infoFields(info))
		}),
	}
}

func infoFields(info engine.SystemInfo) []field {
	fields := []field{{"Version", info.Version}, {"Go", info.Go}}
	if v := info.VMM; v != nil {
		fields = append(fields, field{"VMM", fmt.Sprintf("%s %s (%s), %s", v.Backend, v.Version, v.Accel, v.Path)})
	} else {
		fields = append(fields, field{"VMM", "none: " + info.VMMWhy})
	}
	works := "works"
	if !info.KVM {
		works = info.KVMWhy
	}
	fields = append(fields,
		field{"KVM", works},
		field{"CPUs", strconv.Itoa(info.CPUs)},
		field{"State", info.Paths.State},
		field{"Kernels", info.Paths.Kernels},
		field{"Cache", info.Paths.Cache},
		field{"Configuration", info.Paths.Config},
		field{"VMs", fmt.Sprintf("%d, %d of them running", info.Counts["vms"], info.Running)},
	)
	for _, kind := range []string{"images", "kernels", "snapshots", "volumes"} {
		fields = append(fields, field{"Number of " + kind, strconv.Itoa(info.Counts[kind])})
	}
	return append(fields, configFields("  ", info.Config)...)
}

// configFields are what is configured, tables by their keys' full names.
func configFields(prefix string, config map[string]any) (fields []field) {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if table, is := config[key].(map[string]any); is {
			fields = append(fields, configFields(prefix+key+".", table)...)
		} else if text := fmt.Sprint(config[key]); text != "" && text != "[]" {
			fields = append(fields, field{prefix + key, text})
		}
	}
	return fields
}
