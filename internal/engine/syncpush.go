package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"

	"banger/internal/agent/filesync"
	"banger/internal/format/tree"
)

// first copies a directory that the guest does not have yet, with its repository. What
// somebody makes there meanwhile stays.
func (s *syncing) first(ctx context.Context) (Synced, error) {
	changed, err := s.fill(ctx, false)
	if err != nil {
		return Synced{}, err
	}
	var result Synced
	for _, name := range s.here.Names() {
		if _, is := changed[name]; is {
			result.Conflicts = append(result.Conflicts, name)
			continue
		}
		result.Push = append(result.Push, filesync.Change{Name: name, To: s.here[name].Content})
	}
	return result, s.save()
}

// hasRepository reports whether the guest's directory has a repository of its own,
// which no scan shows.
func (s *syncing) hasRepository(ctx context.Context) (bool, error) {
	_, err := s.client.List(ctx, path.Join(s.target, ".git"), false)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// fill copies a whole directory, with its repository. With replace it takes the place of
// what is there; without, files that are there stay, and are returned.
func (s *syncing) fill(ctx context.Context, replace bool) (changed filesync.State, err error) {
	meter := newMeter(s.events, "copying "+s.dir)
	changed, placed, err := s.guest.Fill(ctx, s.copied.dir, s.copied.files, replace, func(w io.Writer) io.Writer { return meter.writer(w) })
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", s.dir, err)
	}
	filled := maps.Clone(s.here)
	maps.DeleteFunc(filled, func(name string, _ filesync.Entry) bool { _, is := changed[name]; return is })
	return changed, s.settle(ctx, filled, placed)
}

// push makes in the guest the changes that were made here.
func (s *syncing) push(ctx context.Context, result *Synced) error {
	removals, names, pushed := split(result.Push, s.there, s.here)
	changed, placed := filesync.State{}, filesync.State{}
	if len(removals) > 0 {
		left, err := s.guest.Remove(ctx, removals, s.tracked)
		if err != nil {
			return err
		}
		maps.Copy(changed, left)
	}
	if len(names) > 0 {
		meter := newMeter(s.events, "pushing "+s.dir)
		left, there, err := s.guest.Push(ctx, func(w io.Writer) error {
			return buffered(meter.writer(w), func(w io.Writer) error {
				return tree.PackNames(w, s.dir, names, s.here.Stamp, func(name string) tree.Stamp {
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
		placed = there
	}
	noteLeftOut(pushed, placed, changed)
	s.applied(&result.Push, result, changed, removals)
	maps.DeleteFunc(pushed, func(name string, _ filesync.Entry) bool { _, is := changed[name]; return is })
	return s.settle(ctx, pushed, placed)
}

// split divides changes to a side into what is removed first and what is made then.
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

// noteLeftOut counts files that should have been made, and were not, as changed.
func noteLeftOut(made, placed, changed filesync.State) {
	for name, e := range made {
		if _, is := placed[name]; e.Kind == filesync.File && !is {
			changed.Miss(name)
		}
	}
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
			s.forget(name)
		}
	}
}

// settle notes what became of files that were pushed. Of those that are placed as they
// were read here it is known; the guest reads the others once more.
func (s *syncing) settle(ctx context.Context, pushed, placed filesync.State) error {
	ask := filesync.State{}
	for name, e := range pushed {
		p, is := placed[name]
		switch {
		case e.Kind != filesync.File:
			s.note(name, filesync.Known{Content: e.Content, Here: e.Stamp})
		case is && p.AsSent(e):
			s.note(name, filesync.Known{Content: e.Content, Here: e.Stamp, There: p.Stamp})
		default:
			ask[name] = e
		}
	}
	if len(ask) == 0 {
		return nil
	}
	there, err := s.guest.Hash(ctx, ask)
	if err != nil {
		return err
	}
	for name, e := range ask {
		if alike, from, to, known := filesync.Settled(e, placed[name], there[name]); known {
			s.note(name, filesync.Known{Content: alike, Here: from, There: to})
		}
	}
	return nil
}
