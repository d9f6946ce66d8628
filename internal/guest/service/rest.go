package service

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// rest returns when the guest has booted and holds no more in its memory than it
// has to.
func (c Config) rest(ctx context.Context) (state string, err error) {
	if err := c.Init.Wait(ctx); err != nil {
		return "", err
	}
	state = c.Init.State(ctx)
	unix.Sync()
	return state, os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
}
