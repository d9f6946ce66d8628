package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"banger/internal/process"
	"banger/internal/vmm"
)

// The files of a saved guest.
const (
	memoryFile = "memory" // its memory as it is, and as large, with holes
	stateFile  = "state"  // QEMU's stream with the state of everything else
)

// Save implements vmm.Machine.
//
// A guest's memory and state leave one QEMU only as a stream, which the next
// one would have to read to its end before the guest goes on. So the memory is
// taken out of it, and the rest goes to a second QEMU, the sink, whose guest has
// its memory in the file and never runs. All that the sink has left to write down
// then is the rest of the state.
//
// Under KVM the guest runs while its memory is sent, and what it writes meanwhile
// is sent again. By emulation it is held for all of it: QEMU before 9.0 misses some
// of what it emulates being written.
func (m *machine) Save(ctx context.Context, dir string) (held time.Time, err error) {
	memory, err := m.makeMemory(filepath.Join(dir, memoryFile))
	if err != nil {
		return held, fmt.Errorf("write the guest's memory: %w", err)
	}
	defer memory.Close()
	sink, err := m.startSink(ctx, memory.Name())
	if err != nil {
		return held, err
	}
	defer func() {
		sink.Kill()
		sink.Wait()
	}()
	entrance, err := sink.open(ctx)
	if err != nil {
		return held, fmt.Errorf("save the guest: %w", err)
	}
	defer entrance.Close()
	held = time.Now()
	if m.accel != vmm.KVM {
		if err := m.Pause(ctx); err != nil {
			return held, err
		}
	}
	since, err := m.pour(ctx, sink, entrance, memory)
	if !since.IsZero() {
		held = since
	}
	if err != nil {
		return held, fmt.Errorf("write the guest's memory: %w", err)
	}
	if err := sink.writeState(ctx, filepath.Join(dir, stateFile)); err != nil {
		return held, fmt.Errorf("write the guest's state: %w", err)
	}
	return held, nil
}

// pour writes the guest's memory to a file and its state to the sink, and returns
// when both have arrived, and since when the guest is held for it; see emit.
func (m *machine) pour(ctx context.Context, sink *machine, entrance net.Conn, memory *os.File) (held time.Time, err error) {
	exit, theirs, err := socketPair("migration")
	if err != nil {
		return held, err
	}
	split := make(chan error, 1)
	go func() {
		err := splitPages(entrance, exit, memory, int64(m.cfg.MemoryMiB)<<20)
		entrance.Close() // both QEMUs see where it has failed
		exit.Close()
		split <- err
	}()
	held, err = m.emit(ctx, theirs, withMemory)
	theirs.Close()
	if err == nil {
		_, err = sink.await(ctx)
	}
	exit.Close()
	if why := <-split; err != nil && why != nil && !errors.Is(why, net.ErrClosed) {
		err = why // which the QEMUs know only as an end
	}
	return held, err
}

// makeMemory makes the file for a guest's memory, of which all is a hole.
func (m *machine) makeMemory(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(int64(m.cfg.MemoryMiB) << 20); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// startSink starts a QEMU of the same VM that waits for a guest's state. It
// touches none of the VM's files.
func (m *machine) startSink(ctx context.Context, memory string) (*machine, error) {
	p := m.program
	p.cfg.Console = io.Discard
	sink, err := start(ctx, p, Setup{Memory: memory, Shared: true, NoDisks: true}, unplugged{})
	if err != nil {
		return nil, fmt.Errorf("save the guest: %w", err)
	}
	return sink, nil
}

// unplugged is the network of a guest that does not run.
type unplugged struct{ vmm.Network }

func (unplugged) ServeStream(_ context.Context, conn net.Conn) error {
	defer conn.Close()
	_, err := io.Copy(io.Discard, conn)
	return err
}

// open has a machine that waits for a guest take it from the other end of what is
// returned; see await.
func (m *machine) open(ctx context.Context) (entrance net.Conn, err error) {
	ours, theirs, err := socketPair("migration")
	if err != nil {
		return nil, err
	}
	defer theirs.Close() // so that the machine's end is seen
	if err := m.receive(ctx, theirs, withMemory); err != nil {
		ours.Close()
		return nil, err
	}
	return ours, nil
}

// writeState writes all but the memory of a guest that was received.
func (m *machine) writeState(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = m.emit(ctx, f, withoutMemory)
	return err
}

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

// receive has a machine that waits for a guest take it from f; see await.
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

// Restore implements vmm.Backend.
func (b *backend) Restore(ctx context.Context, cfg vmm.Config, dir string, network vmm.Network) (vmm.Machine, error) {
	path, err := process.LookPath(b.Binary)
	if err != nil {
		return nil, err
	}
	if err := cfg.CheckDisks(); err != nil {
		return nil, err
	}
	state, err := os.Open(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("read the guest's state: %w", err)
	}
	defer state.Close()
	m, err := start(ctx, program{path, cfg, b.accel()}, Setup{Memory: filepath.Join(dir, memoryFile)}, network)
	if err != nil {
		return nil, err
	}
	if err := m.goOn(ctx, state); err != nil {
		m.Kill()
		if ended := m.Wait(); ended != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w (%w)", err, ended)
		}
		return nil, fmt.Errorf("restore the guest: %w", err)
	}
	return m, nil
}

// goOn takes a guest's state from a file, and lets it run. It has not come from
// another host, which QEMU would have it tell its network, five times: once is the
// least, since QEMU 7.2 crashes at the end of a guest that was to tell it never.
func (m *machine) goOn(ctx context.Context, state *os.File) error {
	if err := m.monitor.execute(ctx, "migrate-set-parameters", map[string]int{"announce-rounds": 1}); err != nil {
		return err
	}
	if err := m.receive(ctx, state, withoutMemory); err != nil {
		return err
	}
	if _, err := m.await(ctx); err != nil {
		return err
	}
	return m.Resume(ctx)
}
