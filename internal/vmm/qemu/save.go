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

// open makes a machine that waits for a guest load it from the other end of what is
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

// writeState writes all but the memory of a guest that was received. It passes a pipe:
// QEMU is to give up writing to files of its user's.
func (m *machine) writeState(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	exit, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer exit.Close()
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(f, exit)
		copied <- err
	}()
	_, err = m.emit(ctx, theirs, withoutMemory)
	theirs.Close()
	if err != nil {
		exit.Close() // nothing more comes
		<-copied
		return err
	}
	return <-copied
}
