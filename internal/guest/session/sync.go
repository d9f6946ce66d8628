package session

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"banger/internal/agent/filesync"
	"banger/internal/agentapi"
	"banger/internal/format/packed"
	"banger/internal/format/tree"
)

// Sync works on a directory that is kept alike with one of the host's.
func (s *Session) Sync(request agentapi.SyncStream) Program {
	return s.program(func() {
		dir := s.path(request.Dir)
		in, out := packed.NewReader(s.client.Stdin), packed.NewWriter(s.client.Stdout)
		buffered := bufio.NewWriterSize(out, buffer)
		err := s.sync(request, dir, in, buffered)
		if err == nil {
			err = errors.Join(buffered.Flush(), out.Close())
		}
		if err != nil {
			s.fail(1, fmt.Errorf("%s: %w", dir, err))
			return
		}
		s.exit(0)
	})
}

func (s *Session) sync(request agentapi.SyncStream, dir string, in io.Reader, out io.Writer) error {
	if request.Do == agentapi.SyncScan {
		state, err := filesync.Scan(dir, func(name string) bool { return slices.Contains(request.Skip, name) })
		if err != nil {
			return err
		}
		return state.Write(out)
	}
	if request.Do == agentapi.SyncUnpack {
		return s.unpackChanges(dir, in, out)
	}
	state, err := filesync.Read(in)
	if err != nil {
		return err
	}
	switch request.Do {
	case agentapi.SyncHash:
		if state, err = filesync.Hash(dir, state.Names()); err != nil {
			return err
		}
		return state.Write(out)
	case agentapi.SyncPack:
		return tree.PackNames(out, dir, state.Names(), func(string) tree.Stamp { return tree.Stamp{} })
	case agentapi.SyncRemove:
		changed, err := state.Remove(dir, request.Prune)
		if err != nil {
			return err
		}
		return changed.Write(out)
	}
	return fmt.Errorf("the agent cannot %q a directory", request.Do)
}

// unpackChanges puts files where the host expects others, or none.
func (s *Session) unpackChanges(dir string, in io.Reader, out io.Writer) error {
	changed := filesync.State{}
	err := tree.UnpackInto(in, dir, true, tree.UnpackOptions{
		Owner: s.owner(), Note: s.note,
		Expect:  tree.Recorded,
		Changed: func(name string) { changed[name] = filesync.Entry{Content: filesync.Content{Kind: filesync.File}} },
	})
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return changed.Write(out)
}
