package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"banger/internal/agent/filesync"
	"banger/internal/engine"
)

func (a *app) vmSyncCommand() *cobra.Command {
	var o engine.SyncOptions
	var patch string
	c := &cobra.Command{
		Use:   "sync [flags] VM [DIR]",
		Short: "Keep a directory and one in a VM alike, or show how they differ",
		Long: "Keep a directory and one in a VM alike, or show how they differ.\n\n" +
			"What changed since the last sync goes from here to there by --push, from there to here by --pull, and both\n" +
			"ways by both. What changed on both sides is left as it is, and an error. Without either, nothing is done and\n" +
			"the differences are printed. What git ignores stays where it is, and so does what is in a .git.",
		Example: "  banger vm sync dev                   # how . and its copy in dev differ\n" +
			"  banger vm sync --push dev            # what changed here goes there\n" +
			"  banger vm sync --pull --delete dev src\n" +
			"  banger vm sync --patch work.patch dev && git apply work.patch",
		Args: cobra.RangeArgs(1, 2),
	}
	flags := c.Flags()
	flags.BoolVar(&o.Push, "push", false, "take what changed here there")
	flags.BoolVar(&o.Pull, "pull", false, "take what changed there here")
	flags.BoolVar(&o.Delete, "delete", false, "remove also what was removed on the other side")
	flags.BoolVarP(&o.DryRun, "dry-run", "n", false, "show what would be done")
	flags.StringVar(&o.To, "to", "", "the directory in the VM, from the user's home where relative (default DIR's name)")
	flags.StringVarP(&o.User, "user", "u", "", "user in the VM, whose the files there are (default a container image's, else root)")
	flags.StringVar(&patch, "patch", "", "write what changed in the VM to this file, - for the standard output, as a patch for git apply")
	for _, does := range []string{"push", "pull"} {
		c.MarkFlagsMutuallyExclusive("patch", does)
	}
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if len(args) == 2 {
			o.Dir = args[1]
		}
		d := a.newDisplay()
		defer d.end()
		o.Events = d.show
		if patch != "" {
			return a.writePatch(ctx, args[0], patch, o)
		}
		return a.sync(ctx, args[0], o)
	})
	return c
}

func (a *app) sync(ctx context.Context, name string, o engine.SyncOptions) error {
	found, err := a.engine.Sync(ctx, name, o)
	if err != nil {
		return err
	}
	if a.format == formatJSON {
		err = printJSON(a.Out, found)
	} else {
		a.printChanges("push", found.Push)
		a.printChanges("pull", found.Pull)
		for _, file := range found.Conflicts {
			fmt.Fprintln(a.Out, "both  changed ", printable(file))
		}
		for _, file := range found.Refused {
			fmt.Fprintln(a.Out, "pull  refused ", printable(file))
		}
	}
	if err != nil || !o.Push && !o.Pull {
		return err
	}
	return found.Unsynced()
}

func (a *app) printChanges(way string, changes []filesync.Change) {
	for _, c := range changes {
		what := "changed"
		switch {
		case c.From.Kind == filesync.Absent:
			what = "new"
		case c.To.Kind == filesync.Absent:
			what = "removed"
		}
		fmt.Fprintf(a.Out, "%-5s %-8s %s\n", way, what, printable(c.Name))
	}
}

func (a *app) writePatch(ctx context.Context, name, file string, o engine.SyncOptions) error {
	to := a.raw.Out
	late := &lateFile{path: file}
	if file != "-" {
		to = late
	}
	found, err := a.engine.SyncPatch(ctx, name, o, to)
	if err == nil && file != "-" {
		_, err = late.Write(nil) // of no changes there is a file too
	}
	if err = errors.Join(err, late.Close()); err != nil {
		return err
	}
	return found.Unsynced()
}

// lateFile is a file that is made, or made anew, by the first write to it.
type lateFile struct {
	path string
	file *os.File
}

func (l *lateFile) Write(p []byte) (n int, err error) {
	if l.file == nil {
		if l.file, err = os.Create(l.path); err != nil {
			return 0, err
		}
	}
	return l.file.Write(p)
}

// Close closes it, if it was made.
func (l *lateFile) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
