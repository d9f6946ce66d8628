package firecracker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"banger/internal/jail"
	"banger/internal/process"
	"banger/internal/vmm"
)

// machine is a running Firecracker.
type machine struct {
	child   *process.Child
	log     *vmm.Log
	dir     string // the VM's, and Firecracker's working directory
	disks   int
	network chan struct{}
}

// path returns that of a file in the VM's directory.
func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) api() api { return newAPI(m.path(socketName)) }

// prepare makes the files that Firecracker needs. A socket that a killed one left
// would keep the next one from starting.
func (m *machine) prepare(cfg vmm.Config) error {
	m.removeFiles()
	for i, disk := range cfg.Disks {
		if err := os.Symlink(disk.Path, m.path(diskName(i))); err != nil {
			return fmt.Errorf("name firecracker's disks: %w", err)
		}
	}
	return nil
}

func (m *machine) writeConfig(cfg vmm.Config) error {
	data, err := Config(cfg)
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.path(configName), data, 0o600); err != nil {
		return fmt.Errorf("write firecracker's configuration: %w", err)
	}
	return nil
}

func (m *machine) removeFiles() {
	for _, name := range []string{configName, socketName, memoryFile, stateFile} {
		os.Remove(m.path(name))
	}
	for i := range m.disks {
		os.Remove(m.path(diskName(i)))
	}
}

// start starts Firecracker in its jail and connects the network.
func (m *machine) start(ctx context.Context, command []string, o jail.Options, cfg vmm.Config, network vmm.Network) error {
	child, cable, err := jail.Start(ctx, command, o, process.Cmd{Dir: cfg.Dir, Stdout: cfg.Console, Stderr: m.log})
	if err != nil {
		var failure *process.Error
		if errors.As(err, &failure) {
			err = m.verdict(err)
		}
		return fmt.Errorf("start firecracker: %w", err)
	}
	m.child, m.network = child, make(chan struct{})
	go func() {
		defer close(m.network)
		network.ServePackets(context.Background(), cable)
	}()
	go func() {
		child.Wait()
		cable.Close() // nothing else tells of the other end's
	}()
	return nil
}

// PID implements vmm.Machine.
func (m *machine) PID() int { return m.child.PID() }

// Kill implements vmm.Machine.
func (m *machine) Kill() { m.child.Kill() }

// Resize implements vmm.Machine. Firecracker opens the disk anew, and sees its size.
func (m *machine) Resize(ctx context.Context, disk int, _ int64) error {
	id := fmt.Sprintf("disk%d", disk)
	return m.api().send(ctx, http.MethodPatch, "/drives/"+id, partialDrive{id, diskName(disk)})
}

// Pause implements vmm.Machine.
func (m *machine) Pause(ctx context.Context) error { return m.api().setState(ctx, paused) }

// Resume implements vmm.Machine.
func (m *machine) Resume(ctx context.Context) error { return m.api().setState(ctx, resumed) }

// Wait implements vmm.Machine.
func (m *machine) Wait() error {
	err := m.child.Wait()
	<-m.network
	m.removeFiles()
	return m.verdict(err)
}

// verdict tells the host's faults from a guest's end.
func (m *machine) verdict(err error) error {
	var failure *process.Error
	switch {
	case errors.As(err, &failure):
		return &vmm.ExitError{VMM: Name, Status: failure.Status, Stderr: m.log.LastLine()}
	case err != nil: // the context's
		return &vmm.ExitError{VMM: Name, Status: "signal: killed", Stderr: m.log.LastLine()}
	}
	return nil
}
