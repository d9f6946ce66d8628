package statedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	stagePrefix = ".stage-"
	lockSuffix  = ".lock"
)

// Stage is a directory in which an entry is made before it has a name.
type Stage struct {
	Dir  string
	tree Tree
	lock *Lock
}

// Stage makes a staging directory beside the tree's entries and sweeps up
// those that dead processes left. The caller must Publish, Replace or Discard.
func (t Tree) Stage() (*Stage, error) {
	if err := MakeDir(t.Dir); err != nil {
		return nil, fmt.Errorf("stage %s: %w", t.Kind, err)
	}
	t.Sweep()
	return t.stage(stagePrefix)
}

func (t Tree) stage(prefix string) (*Stage, error) {
	lockFile, err := os.CreateTemp(t.Dir, prefix+"*"+lockSuffix)
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", t.Kind, err)
	}
	lockFile.Close()
	// A sweep may be looking at the file just now; it lets go at once.
	lock, err := take(context.Background(), lockFile.Name(), unix.F_OFD_SETLKW, unix.F_WRLCK)
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", t.Kind, err)
	}
	s := &Stage{Dir: strings.TrimSuffix(lockFile.Name(), lockSuffix), tree: t, lock: lock}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		lock.Remove()
		return nil, fmt.Errorf("stage %s: %w", t.Kind, err)
	}
	return s, nil
}

// Path returns the path of a file in the staging directory.
func (s *Stage) Path(elem ...string) string {
	return filepath.Join(append([]string{s.Dir}, elem...)...)
}

// WriteJSON is the package's for a staged file, which Publish flushes.
func (s *Stage) WriteJSON(file string, v any) error {
	data, err := marshal(file, v)
	if err != nil {
		return err
	}
	return os.WriteFile(s.Path(file), data, 0o600)
}

// Publish flushes the staged files to disk and gives them their name. The
// error is ErrExist where the name is taken; the stage is then still there.
func (s *Stage) Publish(name string) error {
	if err := flushTree(s.Dir); err != nil {
		return fmt.Errorf("publish %s %q: %w", s.tree.Kind, name, err)
	}
	if err := s.tree.moveTo(s.Dir, name, unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	s.lock.Remove()
	return nil
}

// Replace is Publish for a name that may be taken: the old entry is exchanged
// for the new one in one step, then deleted. Also after a crash there is the old
// one or the new one, whole.
func (s *Stage) Replace(name string) error {
	err := s.Publish(name)
	if !errors.Is(err, ErrExist) {
		return err
	}
	if err := s.tree.moveTo(s.Dir, name, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	s.Discard()
	return nil
}

// Discard deletes the staging directory. After Publish it does nothing, so
// that it can be deferred.
func (s *Stage) Discard() {
	if s.lock.released() {
		return
	}
	os.RemoveAll(s.Dir)
	s.lock.Remove()
}
