package service

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"time"

	"banger/internal/guest/console"
	"banger/internal/guest/identity"
	"banger/internal/guest/login"
	"banger/internal/guest/tcpend"

	"golang.org/x/sys/unix"
)

// rest returns when the guest has booted and holds no more in its memory than it
// has to, and than what it is to go on with as another one.
func (c Config) rest(ctx context.Context, logins *login.Logins) (state string, err error) {
	if err := c.Init.Wait(ctx); err != nil {
		return "", err
	}
	awaitDevices(ctx)
	// Of all that a shell waits for, its user's own systemd takes longest to start.
	logins.Join(ctx, superuser, login.WhenUp)
	logins.Retry(superuser)
	state = c.Init.State(ctx)
	if err := tcpend.Ready(); err != nil {
		console.Log("warning: make ready to end connections: %v", err)
	}
	unix.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return state, err
	}
	if err := withoutReserve(func() error { return exec.CommandContext(ctx, "/proc/self/exe", ClearArgument).Run() }); err != nil {
		console.Log("warning: clear the free memory: %v", err)
	}
	c.rehearse(ctx)
	runtime.GC() // else the next one comes when the guest goes on
	return state, nil
}

// superuser is whose programs are run where nobody says whose.
const superuser = 0

// devicesTime is how long drivers may take that udev loads after the init has
// finished booting.
const devicesTime = time.Minute

// awaitDevices returns when udev, where the image has it, has no more to do.
func awaitDevices(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, devicesTime)
	defer cancel()
	_ = exec.CommandContext(ctx, "udevadm", "settle").Run() // not every image has it
}

// reserve is the kernel's setting of how much memory programs cannot have, which is
// much where there are huge pages.
const reserve = "/proc/sys/vm/min_free_kbytes"

// withoutReserve calls do while that is little.
func withoutReserve(do func() error) error {
	usual, err := os.ReadFile(reserve)
	if err == nil {
		err = os.WriteFile(reserve, []byte("4096"), 0)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(), os.WriteFile(reserve, usual, 0))
}

// rehearse brings into memory what a guest that goes on needs first: to become
// another one, and to run a program.
func (c Config) rehearse(ctx context.Context) {
	identity.Rehearse("/", c.Settings)
	_, _ = os.ReadDir(hooksDir)
	_ = exec.CommandContext(ctx, "/bin/sh", "-c", "uname; hostname; ls / > /dev/null").Run() // not every image has one
}
