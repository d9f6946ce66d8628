package engine

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"banger/internal/agent"
	"banger/internal/agent/filesync"
	"banger/internal/format/tree"
	"banger/internal/project"
	"banger/internal/statedir"
)

// SyncOptions say how a directory is made like one of a guest's.
type SyncOptions struct {
	Dir    string // the host's; "" is the working directory
	To     string // the guest's, below the user's home where relative; "" is Dir's own name there
	User   string // as whom in the guest; "" is root
	Push   bool   // what changed here goes there
	Pull   bool   // what changed there comes here
	Delete bool   // also that files were removed
	DryRun bool   // find out what is to be done, and do nothing
	Events Events
}

// Synced is what a sync found, or did.
type Synced struct {
	Push      []filesync.Change `json:"push"`      // of what changed here
	Pull      []filesync.Change `json:"pull"`      // of what changed there
	Conflicts []string          `json:"conflicts"` // changed on both sides, and left as they are
	Refused   []string          `json:"refused"`   // what a guest must not put here
}

// Sync finds what changed since the last time in a directory of the host's and one
// of a guest's, and makes them alike as far as it is asked to. Nothing in a .git is
// looked at, but for the first time, when a repository goes along.
func (e *Engine) Sync(ctx context.Context, name string, o SyncOptions) (Synced, error) {
	s, err := e.openSync(ctx, name, o)
	if err != nil {
		return Synced{}, err
	}
	defer s.lock.Release()
	if err := s.look(ctx); err != nil {
		return Synced{}, err
	}
	if len(s.base) == 0 && len(s.there) == 0 && o.Push && !o.DryRun {
		return s.first(ctx)
	}
	plan := filesync.Reconcile(s.base, s.here, s.there)
	result := Synced{Push: plan.Push, Pull: plan.Pull, Conflicts: plan.Conflicts}
	result.Pull, result.Refused = filesync.Harmless(plan.Pull, s.here)
	if !o.Push && !o.Pull || o.DryRun {
		return result, nil
	}
	if !o.Delete {
		result.Push, result.Pull = withoutRemovals(result.Push), withoutRemovals(result.Pull)
	}
	for _, known := range plan.Alike {
		s.know(known, s.here[known].Stamp, s.there[known].Stamp)
	}
	if o.Push {
		err = s.push(ctx, &result)
	} else {
		result.Push = nil
	}
	if o.Pull && err == nil {
		err = s.pull(ctx, &result)
	} else {
		result.Pull = nil
	}
	return result, errors.Join(err, s.save())
}

func withoutRemovals(changes []filesync.Change) []filesync.Change {
	return slices.DeleteFunc(changes, func(c filesync.Change) bool { return c.To.Kind == filesync.Absent })
}

// syncing is one sync of two directories.
type syncing struct {
	events  Events
	dir     string // absolute
	copied  copiedDir
	client  *agent.Client
	guest   *agent.Synced
	target  string
	file    string // what keeps the base
	lock    *statedir.Lock
	base    filesync.Base
	skip    []string // directories there that are ignored
	here    filesync.State
	there   filesync.State
	stored  []byte
	tracked bool // by git, which knows of no empty directories
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
	s.client = e.agent(name, cmp.Or(o.User, guestRoot))
	s.guest = s.client.Synced(s.target)
	all := e.vms.Path(name, statedir.SyncDir)
	if err := statedir.MakeDir(all); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(dir + "\x00" + o.User + "\x00" + s.target))
	s.file = filepath.Join(all, hex.EncodeToString(sum[:16]))
	if s.lock, err = statedir.WaitLock(ctx, s.file+".lock"); err != nil {
		return nil, err
	}
	if s.stored, err = os.ReadFile(s.file); err == nil {
		s.base, s.skip, err = filesync.DecodeBase(s.stored)
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

// look finds out how both sides are.
func (s *syncing) look(ctx context.Context) (err error) {
	looking, either := errgroup.WithContext(ctx)
	looking.Go(func() error { return s.lookHere(either) })
	looking.Go(func() (err error) {
		s.there, err = s.guest.Scan(either, s.skip)
		return err
	})
	if err := looking.Wait(); err != nil {
		return err
	}
	if err := s.ignore(ctx); err != nil {
		return err
	}
	hashing, either := errgroup.WithContext(ctx)
	hashing.Go(func() error {
		return fillHashes(s.here, func(name string) (filesync.Content, tree.Stamp) { return s.base[name].Content, s.base[name].Here },
			func(names filesync.State) (filesync.State, error) { return filesync.Hash(s.dir, names.Names()) })
	})
	hashing.Go(func() error {
		return fillHashes(s.there, func(name string) (filesync.Content, tree.Stamp) { return s.base[name].Content, s.base[name].There },
			func(names filesync.State) (filesync.State, error) { return s.guest.Hash(either, names) })
	})
	return hashing.Wait()
}

func (s *syncing) lookHere(ctx context.Context) (err error) {
	if s.copied, err = projectAt(ctx, s.dir); err != nil {
		return err
	}
	if _, s.tracked, err = project.Ignored(ctx, s.dir, nil); err != nil {
		return err
	}
	names := make([]string, 0, len(s.copied.files))
	for _, f := range s.copied.files {
		if !filesync.Hidden(f.Name) {
			names = append(names, f.Name)
		}
	}
	s.here, err = filesync.Look(s.dir, names)
	s.dropDirs(s.here)
	return err
}

// dropDirs leaves out directories where git keeps the files.
func (s *syncing) dropDirs(state filesync.State) {
	if s.tracked {
		maps.DeleteFunc(state, func(_ string, e filesync.Entry) bool { return e.Kind == filesync.Dir })
	}
}

// ignore leaves out what the guest has of files that are ignored.
func (s *syncing) ignore(ctx context.Context) error {
	var ask []string
	for _, dir := range s.skip {
		ask = append(ask, dir+"/")
	}
	for name, e := range s.there {
		if _, known := s.base[name]; known || s.here[name].Kind != filesync.Absent {
			continue
		}
		if e.Kind == filesync.Dir {
			name += "/"
		}
		ask = append(ask, name)
	}
	ignored, _, err := project.Ignored(ctx, s.dir, ask)
	if err != nil {
		return fmt.Errorf("find out what is ignored: %w", err)
	}
	s.skip = nil
	for name := range ignored {
		if dir, is := cutSlash(name); is && !ignored[parentDir(dir)] {
			s.skip = append(s.skip, dir)
		}
	}
	maps.DeleteFunc(s.there, func(name string, _ filesync.Entry) bool {
		_, known := s.base[name]
		return !known && s.here[name].Kind == filesync.Absent && (ignored[name] || ignored[name+"/"])
	})
	s.dropDirs(s.there)
	return nil
}

// fillHashes gives files the hashes that were known by their stamps, and asks for
// the others.
func fillHashes(state filesync.State, known func(string) (filesync.Content, tree.Stamp), hash func(filesync.State) (filesync.State, error)) error {
	unknown := filesync.State{}
	for name, e := range state {
		if e.Kind != filesync.File {
			continue
		}
		content, stamp := known(name)
		if stamp == e.Stamp && content.Kind == filesync.File {
			e.Hash = content.Hash
			state[name] = e
			continue
		}
		unknown[name] = e
	}
	if len(unknown) == 0 {
		return nil
	}
	hashed, err := hash(unknown)
	if err != nil {
		return err
	}
	for name := range unknown {
		if e, is := hashed[name]; is {
			state[name] = e
		} else {
			delete(state, name)
		}
	}
	return nil
}

// know notes that a file is alike.
func (s *syncing) know(name string, here, there tree.Stamp) {
	e, is := s.here[name]
	if !is {
		delete(s.base, name)
		return
	}
	s.base[name] = filesync.Known{Content: e.Content, Here: here, There: there}
}

// first copies a directory that the guest does not have, with its repository.
func (s *syncing) first(ctx context.Context) (Synced, error) {
	if err := s.client.CopyFiles(ctx, s.copied.dir, s.copied.files, s.target); err != nil {
		return Synced{}, err
	}
	var result Synced
	for _, name := range s.here.Names() {
		result.Push = append(result.Push, filesync.Change{Name: name, To: s.here[name].Content})
	}
	return result, errors.Join(s.settle(ctx, s.here), s.save())
}

// settle finds out what became of files that were pushed.
func (s *syncing) settle(ctx context.Context, pushed filesync.State) error {
	files := filesync.State{}
	for name, e := range pushed {
		if e.Kind == filesync.File {
			files[name] = e
		} else {
			s.base[name] = filesync.Known{Content: e.Content, Here: e.Stamp}
		}
	}
	if len(files) == 0 {
		return nil
	}
	there, err := s.guest.Hash(ctx, files)
	if err != nil {
		return err
	}
	for name, e := range there {
		known := filesync.Known{Content: e.Content, There: e.Stamp}
		if e.Content == files[name].Content {
			known.Here = files[name].Stamp
		}
		s.base[name] = known
	}
	return nil
}

// push has the guest do what changed here.
func (s *syncing) push(ctx context.Context, result *Synced) error {
	removals, names, pushed := split(result.Push, s.there, s.here)
	changed := filesync.State{}
	if len(removals) > 0 {
		left, err := s.guest.Remove(ctx, removals, s.tracked)
		if err != nil {
			return err
		}
		maps.Copy(changed, left)
	}
	if len(names) > 0 {
		meter := newMeter(s.events, "pushing "+s.dir)
		left, err := s.guest.Push(ctx, func(w io.Writer) error {
			return buffered(meter.writer(w), func(w io.Writer) error {
				return tree.PackNames(w, s.dir, names, func(name string) tree.Stamp {
					if _, gone := removals[name]; gone {
						return tree.Stamp{}
					}
					return s.there[name].Stamp
				})
			})
		})
		if err != nil {
			return err
		}
		maps.Copy(changed, left)
	}
	s.applied(&result.Push, result, changed, removals)
	maps.DeleteFunc(pushed, func(name string, _ filesync.Entry) bool { _, is := changed[name]; return is })
	return s.settle(ctx, pushed)
}

// split says what is removed of a side before, and which names are made then.
func split(changes []filesync.Change, side, other filesync.State) (removals filesync.State, names []string, made filesync.State) {
	removals, made = filesync.State{}, filesync.State{}
	for _, c := range changes {
		if c.To.Kind == filesync.Absent || c.From.Kind != c.To.Kind && c.From.Kind != filesync.Absent {
			removals[c.Name] = side[c.Name]
		}
		if c.To.Kind != filesync.Absent {
			names, made[c.Name] = append(names, c.Name), other[c.Name]
		}
	}
	return removals, names, made
}

// applied takes out of the changes what was left out, which is in conflict, and notes
// what is removed.
func (s *syncing) applied(changes *[]filesync.Change, result *Synced, changed, removals filesync.State) {
	*changes = slices.DeleteFunc(*changes, func(c filesync.Change) bool {
		_, is := changed[c.Name]
		if is {
			result.Conflicts = append(result.Conflicts, c.Name)
		}
		return is
	})
	for name := range removals {
		if _, is := changed[name]; !is {
			delete(s.base, name)
		}
	}
}

// pull does here what changed in the guest.
func (s *syncing) pull(ctx context.Context, result *Synced) error {
	removals, names, pulled := split(result.Pull, s.here, s.there)
	changed, err := removals.Remove(s.dir, s.tracked)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		err = s.guest.Pull(ctx, pulled, func(r io.Reader) error {
			return tree.UnpackInto(r, s.dir, false, tree.UnpackOptions{
				Guarded: true, Changed: func(name string) { changed[name] = filesync.Entry{} },
				Expect: func(h *tar.Header) (tree.Stamp, error) {
					e, wanted := pulled[h.Name]
					if !wanted || kindOf(h) != e.Kind || e.Kind == filesync.Link && h.Linkname != e.Hash {
						return tree.Stamp{}, errors.New("it was not asked for")
					}
					if _, gone := removals[h.Name]; gone {
						return tree.Stamp{}, nil
					}
					return s.here[h.Name].Stamp, nil
				},
			})
		})
	}
	s.applied(&result.Pull, result, changed, removals)
	maps.DeleteFunc(pulled, func(name string, _ filesync.Entry) bool { _, is := changed[name]; return is })
	return errors.Join(err, s.settleHere(pulled))
}

func kindOf(h *tar.Header) filesync.Kind {
	switch h.Typeflag {
	case tar.TypeReg:
		return filesync.File
	case tar.TypeDir:
		return filesync.Dir
	case tar.TypeSymlink:
		return filesync.Link
	}
	return filesync.Absent
}

// settleHere finds out what became of files that were pulled.
func (s *syncing) settleHere(pulled filesync.State) error {
	here, err := filesync.Hash(s.dir, pulled.Names())
	if err != nil {
		return err
	}
	for name, want := range pulled {
		e, is := here[name]
		switch {
		case want.Kind != filesync.File:
			s.base[name] = filesync.Known{Content: want.Content, There: want.Stamp}
		case is && e.Content == want.Content:
			s.base[name] = filesync.Known{Content: e.Content, Here: e.Stamp, There: want.Stamp}
		case is:
			s.base[name] = filesync.Known{Content: e.Content, Here: e.Stamp}
		}
	}
	return nil
}

// save keeps what is alike for the next time.
func (s *syncing) save() error {
	slices.Sort(s.skip)
	data := s.base.Encode(s.skip)
	if err := statedir.WriteFile(s.file, data); err != nil {
		return fmt.Errorf("note what is synced: %w", err)
	}
	return nil
}

func cutSlash(name string) (string, bool) {
	if n := len(name); n > 1 && name[n-1] == '/' {
		return name[:n-1], true
	}
	return name, false
}

func parentDir(name string) string { return filepath.Dir(name) + "/" }
