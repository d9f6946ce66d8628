package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"banger/internal/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine lets banger do, and say how to mend the rest",
		Args:  noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			results := a.engine.Examine(ctx, a.hint)
			err := list(a, results, "CHECK RESULT REMEDY", func(r doctor.Result) []string {
				return []string{r.Name, r.String(), r.Remedy}
			})
			if err == nil && !doctor.CanRun(results) {
				err = errors.New("no VM can run on this machine")
			}
			return err
		}),
	}
}
