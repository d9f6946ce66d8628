package mcp

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// errGone says that a sandbox is no more.
var errGone = errors.New("it is gone")

// desk is the sandboxes of one session, what runs in them and the ports that
// lead to them. It may be used by several calls at a time.
type desk struct {
	settings
	host    host
	jobs    jobs
	forward forwards
	kept    snapshots

	opening turns // of those who make a sandbox
	saving  turns // of those who take a snapshot, who may then make a sandbox
	ctx     context.Context
	end     context.CancelFunc

	comes, goes func(name string) // hear which sandboxes there are

	mu      sync.Mutex
	boxes   []box // that this session made
	current string
}

func newDesk(h host, s settings) *desk {
	nobody := func(string) {}
	d := &desk{settings: s, host: h, opening: newTurns(), saving: newTurns(), comes: nobody, goes: nobody}
	d.ctx, d.end = context.WithCancel(context.Background())
	d.jobs.ctx, d.forward.ctx = d.ctx, d.ctx
	return d
}

// turns has a token while it is nobody's turn.
type turns chan struct{}

func newTurns() turns {
	t := make(turns, 1)
	t <- struct{}{}
	return t
}

// turn waits until it is the caller's turn. What it does then ends with the context
// that it gets, which ends with the session too.
func (d *desk) turn(ctx context.Context, of turns) (_ context.Context, done func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.ctx, cancel)
	select {
	case <-of:
		return ctx, func() { stop(); cancel(); of <- struct{}{} }, nil
	case <-ctx.Done():
		stop()
		cancel()
		return nil, nil, ctx.Err()
	}
}

// close ends what the session began, and lets go of its sandboxes. What is begun
// later fails.
func (d *desk) close() error {
	select {
	case <-d.ctx.Done():
		return nil // it is closed
	default:
	}
	d.end()
	<-d.opening // whoever was at it
	<-d.saving
	d.mu.Lock()
	boxes := d.boxes
	d.boxes = nil
	d.mu.Unlock()
	var wait sync.WaitGroup
	errs := make([]error, len(boxes))
	for i, b := range boxes {
		wait.Go(func() { errs[i] = b.close() })
	}
	wait.Wait()
	if !d.keepAll {
		for _, t := range d.kept.all {
			errs = append(errs, d.host.forget(t.name)) //nolint:makezero // it is full
		}
	}
	return errors.Join(errs...)
}

// box returns a sandbox by its name, or with none the current one, which is made
// where there is none.
func (d *desk) box(ctx context.Context, name string, say func(string)) (box, error) {
	if name == "" {
		name = d.currentName()
	}
	if name != "" {
		return d.alive(name)
	}
	return d.open(ctx, false, say)
}

func (d *desk) currentName() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// alive returns a sandbox that is there. One that is not is forgotten.
func (d *desk) alive(name string) (box, error) {
	b, err := d.named(name)
	if err != nil {
		return nil, err
	}
	_, err = b.phase()
	if errors.Is(err, errGone) {
		d.forget(b)
		return nil, fmt.Errorf("sandbox %s has ended, and what was in it is gone: the next call makes a new one", name)
	}
	return b, err
}

// named returns a sandbox that this session may use.
func (d *desk) named(name string) (box, error) {
	if b := d.own(name); b != nil {
		return b, nil
	}
	if slices.Contains(d.granted, name) {
		return d.host.find(name)
	}
	return nil, fmt.Errorf("there is no sandbox %q here: sandbox_list has those there are", name)
}

func (d *desk) own(name string) box {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.boxes {
		if b.name() == name {
			return b
		}
	}
	return nil
}

// open makes a sandbox, which becomes the current one. Unless another is asked for, one
// that was made while this call waited will do.
func (d *desk) open(ctx context.Context, another bool, say func(string)) (box, error) {
	return d.makeOne(ctx, another, false, func(ctx context.Context) (box, error) {
		b, err := d.host.open(ctx, say)
		if err != nil || d.hostDir == "" {
			return b, err
		}
		say("copying " + filepath.Base(d.hostDir))
		if err := b.copyIn(ctx, d.hostDir, d.work); err != nil {
			return nil, errors.Join(err, b.remove(context.WithoutCancel(ctx)))
		}
		return b, nil
	})
}

// make makes one more sandbox, or with instead one that takes another's place.
func (d *desk) make(ctx context.Context, instead bool, open func(context.Context) (box, error)) (box, error) {
	return d.makeOne(ctx, true, instead, open)
}

func (d *desk) makeOne(ctx context.Context, another, instead bool, open func(context.Context) (box, error)) (box, error) {
	ctx, done, err := d.turn(ctx, d.opening)
	if err != nil {
		return nil, err
	}
	defer done()
	if name := d.currentName(); name != "" && !another {
		return d.alive(name)
	}
	if err := d.room(); err != nil && !instead {
		return nil, err
	}
	b, err := open(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.boxes, d.current = append(d.boxes, b), b.name()
	d.mu.Unlock()
	d.comes(b.name())
	return b, nil
}

// room says why there may be no more sandboxes.
func (d *desk) room() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.boxes); n >= d.max {
		return fmt.Errorf("there are %d sandboxes, and no more are allowed: sandbox_remove removes one", n)
	}
	return nil
}

// dirIn is where a command runs in a sandbox.
func (d *desk) dirIn(b box, dir string) string {
	switch {
	case d.work == "" || strings.HasPrefix(dir, "/") || d.own(b.name()) == nil:
		return dir
	case dir == "":
		return d.work
	}
	return d.work + "/" + dir
}

// use makes a sandbox the current one.
func (d *desk) use(name string) error {
	if _, err := d.alive(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current = name
	return nil
}

// remove removes a sandbox of this session's own.
func (d *desk) remove(ctx context.Context, name string) error {
	b := d.own(name)
	if b == nil {
		return fmt.Errorf("there is no sandbox %q of this session's own", name)
	}
	err := b.remove(ctx)
	if _, gone := b.phase(); errors.Is(gone, errGone) {
		d.forget(b)
		return nil
	}
	return err
}

// forget drops a sandbox that is no more.
func (d *desk) forget(gone box) {
	gone.close()
	d.goes(gone.name())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boxes = slices.DeleteFunc(d.boxes, func(b box) bool { return b.name() == gone.name() })
	if d.current == gone.name() {
		d.current = ""
	}
}

// list says which sandboxes there are.
func (d *desk) list() (string, error) {
	d.mu.Lock()
	boxes, current := slices.Clone(d.boxes), d.current
	d.mu.Unlock()
	for _, name := range d.granted {
		b, err := d.host.find(name)
		if err != nil {
			return "", err
		}
		boxes = append(boxes, b)
	}
	var lines []string
	for _, b := range boxes {
		phase, err := b.phase()
		if err != nil {
			phase = err.Error()
		}
		line := b.name() + ": " + phase
		if b.name() == current {
			line += " (current)"
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return "There is no sandbox yet: the first call that needs one makes it.", nil
	}
	return strings.Join(lines, "\n"), nil
}
