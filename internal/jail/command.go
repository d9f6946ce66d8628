package jail

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"banger/internal/process"
)

// cableFD is the descriptor by which a jail's process gets its end of the
// socket for the cable.
const cableFD = 3

// Args is the command line that makes Main call Exec with these options.
func Args(o Options) []string {
	args := []string{"-mtu", strconv.Itoa(o.MTU)}
	for _, path := range o.Writable {
		args = append(args, "-writable", path)
	}
	return append(append(args, "--"), o.Argv...)
}

// Main is the process that becomes the program. It returns only an error.
func Main(args []string) error {
	o := Options{Cable: os.NewFile(cableFD, "cable")}
	flags := flag.NewFlagSet("jail", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&o.MTU, "mtu", 0, "")
	flags.Func("writable", "", func(path string) error {
		o.Writable = append(o.Writable, path)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.Argv = flags.Args(); len(o.Argv) == 0 {
		return errors.New("no program is given")
	}
	return Exec(o)
}

// Start starts a jail by command, which calls Main, and returns when it is set
// up. c says the rest of the program's surroundings. The error is c's failure
// where the jail's process ended before.
func Start(ctx context.Context, command []string, o Options, c process.Cmd) (*process.Child, *Cable, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make the jail's socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "jail"), os.NewFile(uintptr(fds[1]), "jail")
	defer ours.Close()
	c.Args = append(slices.Clone(command), Args(o)...)
	c.Env, c.Files, c.OwnNetwork = []string{}, []*os.File{theirs}, true
	child, err := process.Start(ctx, c)
	theirs.Close()
	if err != nil {
		return nil, nil, err
	}
	go func() {
		child.Wait()
		removeCgroup(child.PID())
	}()
	cable, err := Receive(ours)
	if err != nil {
		child.Kill()
		if ended := child.Wait(); ended != nil {
			err = ended
		}
		return nil, nil, err
	}
	return child, cable, nil
}

// RefusedError says that this host makes its users no jails.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string {
	return "this host gives its users no networks of their own: " + e.Why
}

// Try makes a jail by command, in which nothing runs. The error is a
// *DeviceError, a *process.NamespaceError or a *RefusedError where the host does
// not let it.
func Try(ctx context.Context, command []string) error {
	device, err := OpenDevice()
	if err != nil {
		return err
	}
	device.Close()
	child, cable, err := Start(ctx, command, Options{MTU: 1500, Argv: []string{"/"}}, process.Cmd{})
	var failure *process.Error
	if errors.As(err, &failure) {
		return &RefusedError{failure.Stderr}
	}
	if err != nil {
		return err
	}
	child.Wait() // which cannot run a directory
	return cable.Close()
}
