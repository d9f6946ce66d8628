package filesync

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ToDisk has the disk hold all that was done to the directory top, before that is noted
// as what both sides have: a machine that goes down a moment later would have files
// without what is in them, or as they were before, and they would seem to be the later
// ones.
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
