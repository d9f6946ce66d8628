package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"banger/internal/agent/filesync"
	"banger/internal/agentapi"
	"banger/internal/format/packed"
)

// Synced is a directory in a guest that is kept alike with one of the host's.
type Synced struct {
	client *Client
	dir    string
}

// Synced returns a directory in the guest, below the user's home where relative.
func (c *Client) Synced(dir string) *Synced { return &Synced{c, dir} }

// do asks the guest to do something to the directory: write sends what it needs, and read
// takes what it answers.
func (s *Synced) do(ctx context.Context, request agentapi.SyncStream, write func(io.Writer) error, read func(io.Reader) error) error {
	request.User, request.Dir = s.client.user, agentapi.Raw(s.dir)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	in, input := io.Pipe()
	go func() {
		out := packed.NewWriter(input)
		err := write(out)
		if err != nil {
			cancel(err)
		} else {
			err = out.Close()
		}
		input.CloseWithError(err)
	}()
	defer in.CloseWithError(io.ErrClosedPipe)
	_, err := through(ctx, func(ctx context.Context, w io.Writer) (string, error) {
		return "", s.client.serve(ctx, agentapi.StreamSync, request, Streams{Stdin: in, Stdout: w})
	}, func(_ context.Context, r io.Reader) (string, error) {
		answer := packed.NewReader(r)
		if err := read(answer); err != nil {
			return "", err
		}
		if n, err := io.Copy(io.Discard, io.LimitReader(answer, 1)); err != nil || n == 0 {
			return "", err
		}
		return "", errors.New("more follows than was asked for")
	})
	return err
}

func nothing(io.Writer) error { return nil }

// into reads a state into s.
func into(s *filesync.State) func(io.Reader) error {
	return func(r io.Reader) (err error) {
		*s, err = filesync.Read(r)
		return err
	}
}

// Scan returns the directory's state, without the directories skip and the hashes
// of files.
func (s *Synced) Scan(ctx context.Context, skip []string) (state filesync.State, err error) {
	err = s.do(ctx, agentapi.SyncStream{Do: agentapi.SyncScan, Skip: agentapi.Raws(skip)}, nothing, into(&state))
	return state, err
}

// Hash returns the named files with their hashes.
func (s *Synced) Hash(ctx context.Context, names filesync.State) (state filesync.State, err error) {
	err = s.do(ctx, agentapi.SyncStream{Do: agentapi.SyncHash}, names.Write, into(&state))
	return state, err
}

// Pull gives a tar of the named files to read.
func (s *Synced) Pull(ctx context.Context, names filesync.State, read func(io.Reader) error) error {
	return s.do(ctx, agentapi.SyncStream{Do: agentapi.SyncPack}, names.Write, read)
}

// Push unpacks what write writes. It returns what was left out, for it had changed,
// and the files that were placed, without their hashes.
func (s *Synced) Push(ctx context.Context, write func(io.Writer) error) (changed, placed filesync.State, err error) {
	return s.place(ctx, agentapi.SyncStream{}, write)
}

// Fill copies files, parents before children, from dir unless they say otherwise. With
// replace they take the place of whatever is there; without, files that are there stay. It
// returns what Push does.
func (s *Synced) Fill(ctx context.Context, dir string, files []File, replace bool, through func(io.Writer) io.Writer) (changed, placed filesync.State, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	return s.place(ctx, agentapi.SyncStream{All: replace}, func(w io.Writer) error { return pack(root, files, through(w)) })
}

func (s *Synced) place(ctx context.Context, request agentapi.SyncStream, write func(io.Writer) error) (changed, placed filesync.State, err error) {
	request.Do = agentapi.SyncPlace
	err = s.do(ctx, request, write, func(r io.Reader) (err error) {
		both := bufio.NewReaderSize(r, 64<<10) // which Read goes on with
		if changed, err = filesync.Read(both); err == nil {
			placed, err = filesync.Read(both)
		}
		return err
	})
	return changed, placed, err
}

// Remove removes files, and with prune the directories that are empty then, and
// returns what was left, for it had changed.
func (s *Synced) Remove(ctx context.Context, files filesync.State, prune bool) (changed filesync.State, err error) {
	err = s.do(ctx, agentapi.SyncStream{Do: agentapi.SyncRemove, Prune: prune}, files.Write, into(&changed))
	return changed, err
}
