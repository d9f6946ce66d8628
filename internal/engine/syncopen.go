package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"banger/internal/agent"
	"banger/internal/agent/filesync"
	"banger/internal/format/tree"
	"banger/internal/statedir"
)

// syncing is one sync of two directories.
type syncing struct {
	events  Events
	dir     string // absolute
	copied  copiedDir
	client  *agent.Client
	guest   *agent.Synced
	target  string
	file    string // what keeps the base
	gone    func(error) error
	lock    *statedir.Lock
	base    filesync.Base
	skip    []string // directories there that are ignored
	here    filesync.State
	there   filesync.State
	skipped []string // what skip was the last time
	changed bool     // the base
	tracked bool     // by git, which knows of no empty directories
}

func (e *Engine) openSync(ctx context.Context, name string, o SyncOptions) (*syncing, error) {
	if _, err := e.vms.Get(name); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cmp.Or(o.Dir, "."))
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", dir)
	}
	if err != nil {
		return nil, err
	}
	s := &syncing{events: o.Events, dir: dir, target: cmp.Or(o.To, filepath.Base(dir)), base: filesync.Base{}}
	user, err := e.userOf(name, o.User)
	if err != nil {
		return nil, err
	}
	s.client = e.agent(name, cmp.Or(user, guestRoot))
	s.guest = s.client.Synced(s.target)
	s.gone = func(err error) error { return lost("vm", name, e.vms.Exists, err) }
	all, err := statedir.MakeDirIn(e.vms.Path(name, ""), statedir.SyncDir)
	if err != nil {
		return nil, s.gone(err)
	}
	sum := sha256.Sum256([]byte(dir + "\x00" + user + "\x00" + s.target))
	s.file = filepath.Join(all, hex.EncodeToString(sum[:16]))
	if s.lock, err = statedir.WaitLock(ctx, s.file+".lock"); err != nil {
		return nil, s.gone(err)
	}
	stored, err := os.ReadFile(s.file)
	if err == nil {
		s.base, s.skipped, err = filesync.DecodeBase(stored)
		if len(s.skipped) > 0 {
			holds := dirsOf(maps.Keys(s.base))
			s.skip = slices.DeleteFunc(slices.Clone(s.skipped), func(dir string) bool { return holds[dir] })
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		s.lock.Release()
		return nil, fmt.Errorf("read what was synced last: %w", err)
	}
	return s, nil
}

// know notes that a file is the same on both sides.
func (s *syncing) know(name string, here, there tree.Stamp) {
	e, is := s.here[name]
	if !is {
		s.forget(name)
		return
	}
	s.note(name, filesync.Known{Content: e.Content, Here: here, There: there})
}

// note and forget change the base.
func (s *syncing) note(name string, known filesync.Known) {
	if s.base[name] != known {
		s.base[name], s.changed = known, true
	}
}

func (s *syncing) forget(name string) {
	if _, known := s.base[name]; known {
		delete(s.base, name)
		s.changed = true
	}
}

// save keeps what is the same on both sides, for the next sync.
func (s *syncing) save() error {
	slices.Sort(s.skip)
	if !s.changed && slices.Equal(s.skip, s.skipped) {
		return nil
	}
	data := s.base.Encode(s.skip)
	if err := statedir.WriteFile(s.file, data); err != nil {
		return s.gone(fmt.Errorf("note what is synced: %w", err))
	}
	return nil
}

// userOf is who owns the files that a run copies into a guest: "" is root.
func (e *Engine) userOf(name, asked string) (string, error) {
	if asked == "" {
		image, err := e.container(name)
		if image == nil || err != nil {
			return "", err
		}
		asked = image.User
	}
	if asked == guestRoot {
		asked = ""
	}
	return asked, nil
}
