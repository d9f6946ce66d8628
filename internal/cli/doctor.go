package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"banger/internal/doctor"
	"banger/internal/vmm/firecracker"
	"banger/internal/vmm/qemu"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine lets banger do, and say how to mend the rest",
		Args:  cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			options, err := a.firecracker()
			if err != nil {
				return err
			}
			results := doctor.Examine(ctx, doctor.Host{
				Firecracker: firecracker.New(options), QEMU: qemu.New(a.config.QEMU),
				Jail: options.Jail, State: a.dirs.State, Hint: hint,
			})
			err = list(a, results, "CHECK RESULT REMEDY", func(r doctor.Result) []string {
				return []string{r.Name, r.String(), r.Remedy}
			})
			if err == nil && !doctor.CanRun(results) {
				err = errors.New("no VM can run on this machine")
			}
			return err
		}),
	}
}
