package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"banger/internal/engine"
	"banger/internal/vm"
)

func (a *app) vmForkCommand() *cobra.Command {
	var o engine.ForkOptions
	c := &cobra.Command{
		Use:   "fork VM [NAME] [-- COMMAND...]",
		Short: "Make running copies of a VM that runs, and run a command in each",
		Example: "  banger vm fork dev -n 4 -- make test   # BANGER_FORK is 0, 1, 2 and 3\n" +
			"  banger vm fork dev trial               # a copy that is called trial",
		Args: cobra.ArbitraryArgs,
	}
	c.Flags().IntVarP(&o.Count, "number", "n", 1, "how many copies to make")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		before, argv := args, []string(nil)
		if dash := c.ArgsLenAtDash(); dash >= 0 {
			before, argv = args[:dash], args[dash:]
		}
		switch len(before) {
		case 1:
			o.VM = before[0]
		case 2:
			o.VM, o.Name = before[0], before[1]
		default:
			return errors.New("banger vm fork takes a VM, and a name for its copies")
		}
		return a.fork(ctx, o, argv)
	})
	return c
}

func (a *app) fork(ctx context.Context, o engine.ForkOptions, argv []string) error {
	d := a.newDisplay()
	copies, err := a.engine.ForkVM(ctx, o, d.show)
	d.end()
	if err != nil {
		return err
	}
	if len(argv) == 0 {
		for _, v := range copies {
			fmt.Fprintln(a.Out, v.Name)
		}
		return nil
	}
	return a.runInEach(ctx, copies, argv)
}

// runInEach runs a program in all copies at once. It ends as the first of them
// does that fails.
func (a *app) runInEach(ctx context.Context, copies []vm.VM, argv []string) error {
	var (
		mu   sync.Mutex
		all  sync.WaitGroup
		errs = make([]error, len(copies))
	)
	for i, v := range copies {
		all.Go(func() {
			out := &prefixed{to: a.raw.Out, prefix: v.Name + ": ", mu: &mu}
			complain := &prefixed{to: a.raw.Err, prefix: v.Name + ": ", mu: &mu}
			status, err := a.engine.ExecVM(ctx, v.Name, engine.Program{
				Argv: argv, Env: []string{"BANGER_FORK=" + strconv.Itoa(i)},
				Attach: func() (engine.Attachment, error) {
					return engine.Attachment{Stdout: out, Stderr: complain}, nil
				},
			})
			out.end()
			complain.end()
			errs[i] = ended(status, err)
		})
	}
	all.Wait()
	var first error
	for i, err := range errs {
		var status exitError
		switch {
		case err == nil:
			continue
		case errors.As(err, &status):
			a.say("vm %s: the command ended with status %d", copies[i].Name, status.code())
		case first != nil:
			a.report(ctx, err)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// maxPrefixed is how much of a line is kept until its end comes, in bytes.
const maxPrefixed = 64 << 10

// prefixed writes whole lines, each behind who it is from.
type prefixed struct {
	to     io.Writer
	prefix string
	mu     *sync.Mutex // of to
	line   []byte
}

func (p *prefixed) Write(data []byte) (int, error) {
	for part := range bytes.Lines(data) {
		p.line = append(p.line, part...)
		if part[len(part)-1] == '\n' || len(p.line) > maxPrefixed {
			p.flush()
		}
	}
	return len(data), nil
}

func (p *prefixed) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	io.WriteString(p.to, p.prefix+string(bytes.TrimSuffix(p.line, []byte("\n")))+"\n")
	p.line = p.line[:0]
}

// end writes what came without an end.
func (p *prefixed) end() {
	if len(p.line) > 0 {
		p.flush()
	}
}

func (a *app) vmCommitCommand() *cobra.Command {
	var o engine.CommitOptions
	c := &cobra.Command{
		Use:   "commit VM IMAGE",
		Short: "Make an image of a VM's disk",
		Args:  cobra.ExactArgs(2),
	}
	c.Flags().BoolVarP(&o.Replace, "force", "f", false, "replace an image of that name that no VM uses")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		o.VM, o.Image = args[0], args[1]
		d := a.newDisplay()
		defer d.end()
		i, err := a.engine.CommitVM(ctx, o, d.show)
		if err == nil {
			fmt.Fprintln(a.Out, i.Name)
		}
		return err
	})
	return c
}
