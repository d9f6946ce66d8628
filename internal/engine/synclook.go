package engine

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"banger/internal/agent/filesync"
	"banger/internal/format/tree"
)

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
	hashing.Go(func() error { return s.hashHere(either) })
	hashing.Go(func() error {
		return fillHashes(s.there, func(name string) (filesync.Content, tree.Stamp) { return s.base[name].Content, s.base[name].There },
			func(names filesync.State) (filesync.State, error) { return s.guest.Hash(either, names) })
	})
	return hashing.Wait()
}

func (s *syncing) hashHere(ctx context.Context) error {
	return fillHashes(s.here, func(name string) (filesync.Content, tree.Stamp) { return s.base[name].Content, s.base[name].Here },
		func(names filesync.State) (filesync.State, error) { return filesync.Hash(ctx, s.dir, names.Names()) })
}

func (s *syncing) lookHere(ctx context.Context) (err error) {
	if s.copied, err = projectAt(ctx, s.dir); err != nil {
		return err
	}
	s.tracked = s.copied.tree.Tracked
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

// ignore leaves out what the guest has of files that are ignored. A directory of a
// file that is kept alike is no such, whatever git says of the directory.
func (s *syncing) ignore(ctx context.Context) error {
	var ask []string
	for _, dir := range s.skip {
		ask = append(ask, dir+"/")
	}
	holds := dirsOf(maps.Keys(s.base), maps.Keys(s.here))
	for name, e := range s.there {
		if _, known := s.base[name]; known || s.here[name].Kind != filesync.Absent || holds[name] {
			continue
		}
		if e.Kind == filesync.Dir {
			name += "/"
		}
		ask = append(ask, name)
	}
	ignored, err := s.copied.tree.Ignored(ctx, ask)
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

// dirsOf are the directories that names are in.
func dirsOf(all ...iter.Seq[string]) map[string]bool {
	dirs := map[string]bool{}
	for _, names := range all {
		for name := range names {
			for at := strings.LastIndexByte(name, '/'); at > 0 && !dirs[name[:at]]; at = strings.LastIndexByte(name[:at], '/') {
				dirs[name[:at]] = true
			}
		}
	}
	return dirs
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

func cutSlash(name string) (string, bool) {
	if n := len(name); n > 1 && name[n-1] == '/' {
		return name[:n-1], true
	}
	return name, false
}

func parentDir(name string) string { return filepath.Dir(name) + "/" }
