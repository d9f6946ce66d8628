package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxSnapshots bounds what one session keeps at a time: each has the sandbox's memory.
const maxSnapshots = 8

// snapshots are those that a session took, and which go with it.
type snapshots struct {
	mu  sync.Mutex
	all []taken
}

// taken is a snapshot and the sandbox that it is of.
type taken struct{ name, of string }

// room says why there may be no more.
func (s *snapshots) room() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.all); n >= maxSnapshots {
		return fmt.Errorf("there are %d snapshots, and no more are allowed: snapshot_remove removes one", n)
	}
	return nil
}

func (s *snapshots) add(t taken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, t)
}

func (s *snapshots) find(name string) (taken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.all {
		if t.name == name {
			return t, nil
		}
	}
	return taken{}, fmt.Errorf("this session took no snapshot %q", name)
}

// moved says that a sandbox is another one now.
func (s *snapshots) moved(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all {
		if s.all[i].of == from {
			s.all[i].of = to
		}
	}
}

func (s *snapshots) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(t taken) bool { return t.name == name })
}

type snapshotArgs struct {
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type namedSnapshot struct {
	Snapshot string `json:"snapshot" jsonschema:"the snapshot's name"`
}

func addSnapshotTools(s *sdk.Server, d *desk) {
	addWith(s, "snapshot_create", "Keep a sandbox as it is, with what runs in it, to go back to after a risky step. It goes on.",
		changes, func(ctx context.Context, r *sdk.CallToolRequest, in snapshotArgs) (string, error) {
			b, err := d.box(ctx, in.Sandbox, teller(ctx, r))
			if err != nil {
				return "", err
			}
			name, err := d.keep(ctx, b)
			return fmt.Sprintf("snapshot %s is of sandbox %s", name, b.name()), err
		})
	addWith(s, "snapshot_restore", "Go back to a snapshot: a sandbox that goes on from there takes the place of the one that it is of, which is removed with all that happened since.",
		changes, func(ctx context.Context, r *sdk.CallToolRequest, in namedSnapshot) (string, error) {
			was, now, err := d.goBack(ctx, in.Snapshot, teller(ctx, r))
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("sandbox %s, as it was in %s, takes the place of %s", now.name(), in.Snapshot, was), nil
		})
	add(s, "snapshot_remove", "Remove a snapshot.", changes, func(_ context.Context, in namedSnapshot) (string, error) {
		if _, err := d.kept.find(in.Snapshot); err != nil {
			return "", err
		}
		d.kept.drop(in.Snapshot)
		return "snapshot " + in.Snapshot + " is removed", d.host.forget(in.Snapshot)
	})
	addWith(s, "sandbox_fork", "Make another sandbox that is a running copy of one, to try something in. The current one stays the current one.",
		changes, func(ctx context.Context, r *sdk.CallToolRequest, in snapshotArgs) (string, error) {
			tell := teller(ctx, r)
			b, err := d.box(ctx, in.Sandbox, tell)
			if err != nil {
				return "", err
			}
			fork, err := d.fork(ctx, b, tell)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("sandbox %s is a copy of %s", fork.name(), b.name()), nil
		})
}

// savable says why a sandbox cannot be kept as it is. To stop it, which would let others
// be saved, is its end.
func (d *desk) savable(b box) error {
	if d.mounted && d.own(b.name()) != nil {
		return errors.New("a sandbox that has directories of the user's machine mounted can be neither kept nor copied: copy what matters to another directory first")
	}
	return nil
}

// keep takes a snapshot.
func (d *desk) keep(ctx context.Context, b box) (name string, err error) {
	ctx, done, err := d.turn(ctx, d.saving)
	if err != nil {
		return "", err
	}
	defer done()
	if err := errors.Join(d.savable(b), d.kept.room()); err != nil {
		return "", err
	}
	if name, err = b.snapshot(ctx); err != nil {
		return "", err
	}
	d.kept.add(taken{name, b.name()})
	return name, nil
}

// goBack replaces a sandbox by one that goes on from a snapshot.
func (d *desk) goBack(ctx context.Context, snapshot string, say func(string)) (was string, now box, err error) {
	ctx, done, err := d.turn(ctx, d.saving)
	if err != nil {
		return "", nil, err
	}
	defer done()
	t, err := d.kept.find(snapshot)
	if err != nil {
		return "", nil, err
	}
	before := d.own(t.of)
	current := d.currentName()
	if now, err = d.make(ctx, before != nil, func(ctx context.Context) (box, error) { return d.host.goOn(ctx, snapshot, say) }); err != nil {
		return "", nil, err
	}
	if before != nil {
		err = d.remove(context.WithoutCancel(ctx), t.of)
	}
	d.kept.moved(t.of, now.name())
	if current != t.of && current != "" {
		err = errors.Join(err, d.use(current))
	}
	return t.of, now, err
}

// fork makes a running copy of a sandbox.
func (d *desk) fork(ctx context.Context, b box, say func(string)) (fork box, err error) {
	ctx, done, err := d.turn(ctx, d.saving)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := errors.Join(d.savable(b), d.room()); err != nil {
		return nil, err // before all its memory is written
	}
	current := d.currentName()
	name, err := b.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	fork, err = d.make(ctx, false, func(ctx context.Context) (box, error) { return d.host.goOn(ctx, name, say) })
	err = errors.Join(err, d.host.forget(name))
	if err == nil && current != "" {
		err = d.use(current)
	}
	return fork, err
}
