package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/secret"
	"banger/internal/size"
	"banger/internal/vm"
)

func (a *app) vmCommand() *cobra.Command {
	return vmGroup(
		a.vmRunCommand(), a.vmListCommand(), a.vmShowCommand(), a.vmSSHCommand(), a.vmExecCommand(),
		a.vmLogsCommand(), a.vmStartCommand(), a.vmStopCommand(), a.vmPauseCommand(), a.vmResumeCommand(),
		a.vmRemoveCommand(), a.vmSSHConfigCommand(), a.vmPortCommand(), a.vmForwardCommand(), a.vmPolicyCommand(),
		a.vmCreateCommand(), a.vmRestartCommand(), a.vmRenameCommand(), a.vmSetCommand(), a.vmPruneCommand(),
		a.vmKillCommand(), a.vmWaitCommand(), a.vmTouchCommand(), a.vmEventsCommand(), a.vmStatsCommand(), a.vmTopCommand(),
		a.vmCopyCommand(), a.vmSyncCommand(),
		a.snapshotCommand(), a.vmForkCommand(), a.vmCommitCommand(),
	)
}

func vmGroup(commands ...*cobra.Command) *cobra.Command {
	return group("vm", "Run and manage VMs", commands...)
}

func memory(v vm.VM) size.Size { return size.Size(v.MemoryMiB) << 20 }

func (a *app) vmShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Aliases: []string{"inspect"},
		Short:   "Show a VM's settings and state",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(_ context.Context, args []string) error {
			v, err := a.engine.VM(args[0])
			if err != nil {
				return err
			}
			v.Secrets = secret.Public(v.Secrets)
			return show(a, v, vmFields(v))
		}),
	}
}

func secretList(all []secret.Secret) string {
	var texts []string
	for _, s := range all {
		texts = append(texts, s.String())
	}
	return strings.Join(texts, " ")
}

func vmFields(v vm.VM) []field {
	fields := []field{
		{"Name", v.Name},
		{"Status", string(v.State.Phase)},
		{"Reason", v.State.Reason},
		{"Disk error", v.State.DiskError},
		{"Image", v.Image},
		{"Kernel", v.Kernel},
		{"CPUs", strconv.Itoa(v.CPUs)},
		{"Memory", memory(v).String()},
		{"Disk", size.Size(v.DiskBytes).String()},
		{"Networks", networkList(v)},
		{"Snapshot", v.Snapshot},
		{"Start", string(v.State.Start)},
		{"Created", age(v.CreatedAt)},
		{"Started", age(v.State.StartedAt)},
		{"TTL", ttl(v)},
		{"Idle timeout", v.IdleTimeout.String()},
		{"Volumes", volumeList(v.Volumes)},
		{"Secrets", secretList(v.Secrets)},
		{"Labels", v.Labels.String()},
	}
	for _, m := range v.Mounts {
		fields = append(fields, field{"Mount", m.String()})
	}
	if info := v.State.VMM; info != nil {
		fields = append(fields,
			field{"VMM", fmt.Sprintf("%s %s (%s)", info.Backend, info.Version, info.Accel)},
			field{"Why", info.Why})
	}
	if ms := v.State.SnapshotPausedMillis; ms > 0 {
		fields = append(fields, field{"Last snapshot", fmt.Sprintf("held it still for %d ms", ms)})
	}
	if guest := v.State.Guest; guest != nil {
		fields = append(fields,
			field{"Guest kernel", guest.Kernel},
			field{"Guest init", or(guest.Init, "none: banger's agent is")})
		for _, warning := range guest.Warnings {
			fields = append(fields, field{"Warning", warning})
		}
	}
	return fields
}
