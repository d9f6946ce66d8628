package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"banger/internal/agent/filesync"
	"banger/internal/agentapi"
	"banger/internal/format/packed"
	"banger/internal/format/tree"
)

// Sync works on a directory that is kept alike with one of the host's.
func (s *Session) Sync(request agentapi.SyncStream) Program {
	return s.program(func() {
		dir := s.path(string(request.Dir))
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
		skip := make(map[agentapi.Raw]bool, len(request.Skip))
		for _, name := range request.Skip {
			skip[name] = true
		}
		return filesync.Scan(out, dir, func(name string) bool { return skip[agentapi.Raw(name)] })
	}
	if request.Do == agentapi.SyncPlace {
		return s.place(dir, request.All, in, out)
	}
	state, err := filesync.Read(in)
	if err != nil {
		return err
	}
	switch request.Do {
	case agentapi.SyncHash:
		if state, err = filesync.Hash(context.Background(), dir, state.Names()); err == nil {
			err = filesync.ToDisk(dir)
		}
		if err != nil {
			return err
		}
		return state.Write(out)
	case agentapi.SyncPack:
		err := tree.PackNames(out, dir, state.Names(), state.Stamp, filesync.NoStamp)
		return errors.Join(err, filesync.ToDisk(dir))
	case agentapi.SyncRemove:
		changed, err := state.Remove(dir, request.Prune)
		if err == nil {
			err = filesync.ToDisk(dir)
		}
		if err != nil {
			return err
		}
		return changed.Write(out)
	}
	return fmt.Errorf("the agent cannot %q a directory", request.Do)
}

// place puts files where the host expects others, or none, or with all whatever is
// there.
func (s *Session) place(dir string, all bool, in io.Reader, out io.Writer) error {
	changed, placed := filesync.State{}, filesync.State{}
	o := tree.UnpackOptions{Owner: s.owner(), Note: s.note, Placed: placed.Place}
	if all {
		o.Replace = true
	} else {
		o.Expect, o.Changed = tree.Recorded, changed.Miss
	}
	if err := tree.UnpackInto(in, dir, true, o); err != nil {
		return err
	}
	if err := filesync.ToDisk(dir); err != nil {
		return err
	}
	if err := changed.Write(out); err != nil {
		return err
	}
	return placed.Write(out)
}
