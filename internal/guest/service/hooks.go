package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// hooksDir has programs of the image's that are to run, in order of their names,
// when the guest has become another one and before it has a network.
const hooksDir = "/etc/banger/restored.d"

// hooksTimeout is for all of them.
const hooksTimeout = 10 * time.Second

// restoredFile holds what is different in each copy; programs may watch it.
const restoredFile = runDir + "/restored"

// runHooks tells the guest's programs that it has become another one, by a file
// and by the hooks in dir. It goes on where one fails.
func runHooks(dir, note, generation string) error {
	ctx, cancel := context.WithTimeout(context.Background(), hooksTimeout)
	defer cancel()
	errs := []error{tell(note, generation)}
	hooks, err := os.ReadDir(dir) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, hook := range hooks {
		path := filepath.Join(dir, hook.Name())
		info, err := os.Stat(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		cmd := exec.CommandContext(ctx, path)
		cmd.Env = append(os.Environ(), "BANGER_GENERATION="+generation)
		cmd.WaitDelay = time.Second
		if err := cmd.Run(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", hook.Name(), err))
		}
	}
	return errors.Join(errs...)
}

func tell(note, generation string) error {
	if err := os.MkdirAll(filepath.Dir(note), 0o755); err != nil {
		return err
	}
	draft := note + ".new"
	if err := os.WriteFile(draft, []byte(generation+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(draft, note)
}
