package qemu

import (
	"context"
	"fmt"
	"os"
	"time"
)

// kind is what a migration's stream holds.
type kind bool

const (
	withMemory    kind = false
	withoutMemory kind = true // memory that is shared by a file stays there
)

// prepare makes ready for a stream of a kind.
func (m *machine) prepare(ctx context.Context, k kind) error {
	type capability struct {
		Name  string `json:"capability"`
		State bool   `json:"state"`
	}
	return m.monitor.execute(ctx, "migrate-set-capabilities", map[string]any{
		"capabilities": []capability{{"events", true}, {"x-ignore-shared", bool(k)}},
	})
}

// stream is the name under which QEMU gets the descriptor of a migration.
const stream = "stream"

// receive makes a machine that waits for a guest load it from f; see await.
func (m *machine) receive(ctx context.Context, f *os.File, k kind) error {
	if err := m.prepare(ctx, k); err != nil {
		return err
	}
	if err := m.monitor.pass(ctx, stream, f); err != nil {
		return err
	}
	return m.monitor.execute(ctx, "migrate-incoming", map[string]string{"uri": "fd:" + stream})
}

// How a guest's memory is sent while it runs.
const (
	// unlimited is more bytes a second than any host copies: QEMU holds itself back
	// otherwise.
	unlimited = 1 << 40
	// lastStretch is how long, in milliseconds, what is left may take by QEMU's
	// reckoning when it holds the guest for it.
	lastStretch = 30
	// maxPasses is how often a guest may have its memory sent again that writes as
	// fast as that goes. It is held then.
	maxPasses = 4
)

// emit writes the guest to f, and returns when that is done: the guest is held
// then, since what is returned where it ran before. Nothing goes on in QEMU where
// it fails.
func (m *machine) emit(ctx context.Context, f *os.File, k kind) (held time.Time, err error) {
	if err := m.prepare(ctx, k); err != nil {
		return held, err
	}
	limits := map[string]int{"max-bandwidth": unlimited, "downtime-limit": lastStretch}
	if err := m.monitor.execute(ctx, "migrate-set-parameters", limits); err != nil {
		return held, err
	}
	if err := m.monitor.pass(ctx, stream, f); err != nil {
		return held, err
	}
	m.forget()
	err = m.monitor.execute(ctx, "migrate", map[string]string{"uri": "fd:" + stream})
	if err == nil {
		held, err = m.await(ctx)
	}
	if err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer cancel()
		m.monitor.execute(cleanup, "migrate_cancel", nil)
	}
	return held, err
}

// cancelTimeout is how long QEMU may take to give a migration up.
const cancelTimeout = 5 * time.Second

// step is what QEMU says of a migration under way.
type step struct {
	status string    // which it has now, or ""
	pass   int       // through the memory that begins, or 0
	held   time.Time // when the guest was, or zero
}

// maxSteps is more than a migration has.
const maxSteps = 32

// forget drops what was heard of an earlier migration.
func (m *machine) forget() {
	for len(m.migration) > 0 {
		<-m.migration
	}
}

// await returns when the migration under way has ended, and since when the guest
// is held for it. One that writes too much is held by await.
func (m *machine) await(ctx context.Context) (held time.Time, err error) {
	for {
		select {
		case s := <-m.migration:
			switch {
			case s.status == "completed":
				return held, nil
			case s.status == "failed", s.status == "cancelled":
				return held, fmt.Errorf("qemu says that it has %s: %s", s.status, m.log.LastLine())
			case !s.held.IsZero():
				held = s.held
			case s.pass > maxPasses && held.IsZero():
				if err := m.Pause(ctx); err != nil {
					return held, err
				}
			}
		case <-m.monitor.ended:
			return held, fmt.Errorf("%w: %s", errMonitorEnded, m.log.LastLine())
		case <-ctx.Done():
			return held, ctx.Err()
		}
	}
}
