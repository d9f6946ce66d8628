package filesync

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ToDisk flushes all that was done to the directory top, before it is noted as what both
// sides have. Otherwise a machine that goes down a moment later could have empty or old
// files, which would seem to be the newer ones.
func ToDisk(top string) error {
	f, err := os.Open(top)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
