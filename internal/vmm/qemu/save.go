package qemu

import (
	"context"
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
// one would have to read to its end before the guest goes on. So the stream
// goes to a second QEMU, the sink, whose guest has its memory in the file and
// never runs. All that the sink has left to write down then is the rest of the
// state.
func (m *machine) Save(ctx context.Context, dir string) error {
	sink, err := m.startSink(ctx, filepath.Join(dir, memoryFile))
	if err != nil {
		return err
	}
	defer func() {
		sink.Kill()
		sink.Wait()
	}()
	entrance, err := sink.open(ctx)
	if err != nil {
		return fmt.Errorf("save the guest: %w", err)
	}
	defer entrance.Close()
	// Only now, when the sink is up, is the guest held still.
	if err := m.Pause(ctx); err != nil {
		return err
	}
	err = m.emit(ctx, entrance, withMemory)
	if err == nil {
		err = sink.await(ctx)
	}
	if err != nil {
		return fmt.Errorf("write the guest's memory: %w", err)
	}
	if err := sink.writeState(ctx, filepath.Join(dir, stateFile)); err != nil {
		return fmt.Errorf("write the guest's state: %w", err)
	}
	return nil
}

// startSink starts a QEMU of the same VM that waits for a guest's state. It
// touches none of the VM's files.
func (m *machine) startSink(ctx context.Context, memory string) (*machine, error) {
	f, err := os.OpenFile(memory, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the guest's memory: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(int64(m.cfg.MemoryMiB) << 20); err != nil {
		return nil, fmt.Errorf("write the guest's memory: %w", err)
	}
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
func (m *machine) open(ctx context.Context) (entrance *os.File, err error) {
	ours, theirs, err := socketPair("migration")
	if err != nil {
		return nil, err
	}
	entrance, err = ours.File()
	ours.Close()
	if err == nil {
		err = m.receive(ctx, theirs, withMemory)
	}
	theirs.Close() // so that the machine's end is seen
	if err != nil && entrance != nil {
		entrance.Close()
	}
	return entrance, err
}

// writeState writes all but the memory of a guest that was received.
func (m *machine) writeState(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return m.emit(ctx, f, withoutMemory)
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

// unlimited is more bytes a second than any host copies: QEMU holds itself back
// otherwise.
const unlimited = 1 << 40

// emit writes the guest to f, and returns when that is done. Nothing goes on in
// QEMU where it fails.
func (m *machine) emit(ctx context.Context, f *os.File, k kind) error {
	if err := m.prepare(ctx, k); err != nil {
		return err
	}
	if err := m.monitor.execute(ctx, "migrate-set-parameters", map[string]int{"max-bandwidth": unlimited}); err != nil {
		return err
	}
	if err := m.monitor.pass(ctx, stream, f); err != nil {
		return err
	}
	m.forget()
	err := m.monitor.execute(ctx, "migrate", map[string]string{"uri": "fd:" + stream})
	if err == nil {
		err = m.await(ctx)
	}
	if err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer cancel()
		m.monitor.execute(cleanup, "migrate_cancel", nil)
	}
	return err
}

// cancelTimeout is how long QEMU may take to give a migration up.
const cancelTimeout = 5 * time.Second

// maxStatuses is more than a migration has.
const maxStatuses = 16

// forget drops what was heard of an earlier migration.
func (m *machine) forget() {
	for len(m.migration) > 0 {
		<-m.migration
	}
}

// await returns when the migration under way has ended.
func (m *machine) await(ctx context.Context) error {
	for {
		select {
		case status := <-m.migration:
			switch status {
			case "completed":
				return nil
			case "failed", "cancelled":
				return fmt.Errorf("qemu says that it has %s: %s", status, m.log.LastLine())
			}
		case <-m.monitor.ended:
			return fmt.Errorf("%w: %s", errMonitorEnded, m.log.LastLine())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Restore implements vmm.Backend.
func (b *backend) Restore(ctx context.Context, cfg vmm.Config, dir string, network vmm.Network) (vmm.Machine, error) {
	path, err := process.LookPath(b.binary)
	if err != nil {
		return nil, err
	}
	if err := checkFiles(cfg); err != nil {
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

// goOn takes a guest's state from a file, and lets it run.
func (m *machine) goOn(ctx context.Context, state *os.File) error {
	if err := m.receive(ctx, state, withoutMemory); err != nil {
		return err
	}
	if err := m.await(ctx); err != nil {
		return err
	}
	return m.Resume(ctx)
}
