package qemu

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"banger/internal/process"
	"banger/internal/vmm"
)

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
	if err := m.receiveFile(ctx, state); err != nil {
		return err
	}
	if _, err := m.await(ctx); err != nil {
		return err
	}
	return m.Resume(ctx)
}

// receiveFile is receive for the state in a file, which comes by a pipe, as it was
// written; see writeState.
func (m *machine) receiveFile(ctx context.Context, state *os.File) error {
	theirs, entrance, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	go func() {
		io.Copy(entrance, state) // where that fails, QEMU finds the state cut short
		entrance.Close()
	}()
	return m.receive(ctx, theirs, withoutMemory)
}
