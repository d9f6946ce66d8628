package firecracker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/statedir"
	"banger/internal/vmm"
)

// The files of a saved guest, and for a moment in the VM's directory: nowhere
// else may Firecracker write.
const (
	memoryFile = "memory" // its memory as it is, and as large, with holes
	stateFile  = "state"
)

// snapshotCreate is the API's type SnapshotCreateParams.
type snapshotCreate struct {
	Type   string `json:"snapshot_type"`
	State  string `json:"snapshot_path"`
	Memory string `json:"mem_file_path"`
}

// snapshotLoad is the API's type SnapshotLoadParams.
type snapshotLoad struct {
	State  string        `json:"snapshot_path"`
	Memory memoryBackend `json:"mem_backend"`
	Resume bool          `json:"resume_vm"`
}

type memoryBackend struct {
	Type string `json:"backend_type"`
	Path string `json:"backend_path"`
}

func saveTo() snapshotCreate {
	return snapshotCreate{Type: "Full", State: stateFile, Memory: memoryFile}
}

// loadFrom has Firecracker map the memory privately: what the guest writes to it
// is its own.
func loadFrom(dir string) snapshotLoad {
	return snapshotLoad{
		State:  filepath.Join(dir, stateFile),
		Memory: memoryBackend{"File", filepath.Join(dir, memoryFile)},
		Resume: true,
	}
}

// Save implements vmm.Machine.
func (m *machine) Save(ctx context.Context, dir string) (held time.Time, err error) {
	for _, name := range []string{memoryFile, stateFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			return held, fmt.Errorf("save the guest: %s is there already", filepath.Join(dir, name))
		}
	}
	held = time.Now()
	if err := m.Pause(ctx); err != nil {
		return held, err
	}
	defer func() {
		os.Remove(m.path(memoryFile))
		os.Remove(m.path(stateFile))
	}()
	if err := m.api().send(ctx, http.MethodPut, "/snapshot/create", saveTo()); err != nil {
		return held, err
	}
	for _, name := range []string{memoryFile, stateFile} {
		if err := os.Rename(m.path(name), filepath.Join(dir, name)); err != nil {
			return held, fmt.Errorf("save the guest: %w", err)
		}
	}
	return held, nil
}

// Restore implements vmm.Backend.
func (b *backend) Restore(ctx context.Context, cfg vmm.Config, dir string, network vmm.Network) (vmm.Machine, error) {
	path, err := b.find()
	if err != nil {
		return nil, err
	}
	if err := cfg.CheckDisks(); err != nil {
		return nil, err
	}
	if err := checkMemory(dir, cfg.MemoryMiB); err != nil {
		return nil, err
	}
	m := newMachine(cfg)
	if err := m.prepare(cfg); err != nil {
		m.removeFiles()
		return nil, err
	}
	changes, err := statedir.Watch(cfg.Dir, statedir.Entries)
	if err != nil {
		m.removeFiles()
		return nil, fmt.Errorf("start firecracker: %w", err)
	}
	defer changes.Close()
	if err := m.start(ctx, b.Jail, jailed(path, cfg), cfg, network); err != nil {
		m.removeFiles()
		return nil, err
	}
	if err := m.load(ctx, dir, changes); err != nil {
		m.Kill()
		m.Wait()
		return nil, fmt.Errorf("restore the guest: %w", err)
	}
	return m, nil
}

// checkMemory fails where a saved guest's memory is not whole: what lies behind
// a file's end would kill Firecracker when the guest touches it.
func checkMemory(dir string, memoryMiB int) error {
	info, err := os.Stat(filepath.Join(dir, memoryFile))
	if err != nil {
		return fmt.Errorf("restore the guest: %w", err)
	}
	if want := int64(memoryMiB) << 20; info.Size() != want {
		return fmt.Errorf("restore the guest: its memory has %d bytes, not %d", info.Size(), want)
	}
	return nil
}

// load has Firecracker go on with a guest, once it listens; changes are those of
// the VM's directory since before it was started.
func (m *machine) load(ctx context.Context, dir string, changes *statedir.Watcher) error {
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		m.child.Wait()
		close(ended)
		cancel()
	}()
	for !isThere(m.path(socketName)) {
		if err := changes.Wait(alive); err != nil {
			select {
			case <-ended:
				return m.verdict(m.child.Wait())
			default:
				return err
			}
		}
	}
	err := m.api().send(ctx, http.MethodPut, "/snapshot/load", loadFrom(dir))
	for errors.Is(err, unix.ECONNREFUSED) { // between its bind and its listen
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return m.verdict(m.child.Wait())
		}
		err = m.api().send(ctx, http.MethodPut, "/snapshot/load", loadFrom(dir))
	}
	return err
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
