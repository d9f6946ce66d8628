package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"banger/internal/process"
	"banger/internal/vmm"
)

// machine is a running QEMU.
type machine struct {
	program
	child     *process.Child
	log       *vmm.Log
	monitor   *monitor
	migration chan step     // of a migration under way, see await
	network   chan struct{} // closed when the network has let go of the guest
	diskError func(string)  // the configuration's
}

// hear notes an event of QEMU's.
func (m *machine) hear(event string, data json.RawMessage) {
	var s step
	var said struct {
		Status string `json:"status"`
		Pass   int    `json:"pass"`
	}
	switch event {
	case "BLOCK_IO_ERROR":
		m.hearDiskError(data)
		return
	case "MIGRATION", "MIGRATION_PASS":
		if json.Unmarshal(data, &said) != nil {
			return
		}
		s.status, s.pass = said.Status, said.Pass
	case "STOP":
		s.held = time.Now()
	default:
		return
	}
	select {
	case m.migration <- s:
	default: // nobody waits
	}
}

// hearDiskError passes on why the guest got an I/O error of a disk.
func (m *machine) hearDiskError(data json.RawMessage) {
	var failure struct {
		NoSpace bool   `json:"nospace"`
		Reason  string `json:"reason"`
	}
	if json.Unmarshal(data, &failure) != nil || m.diskError == nil {
		return
	}
	if failure.NoSpace || strings.EqualFold(failure.Reason, syscall.ENOSPC.Error()) {
		failure.Reason = syscall.ENOSPC.Error()
	}
	m.diskError(failure.Reason)
}

// serve connects the network until QEMU ends, which closes the socket.
func (m *machine) serve(network vmm.Network, conn net.Conn) {
	m.network = make(chan struct{})
	go func() {
		defer close(m.network)
		network.ServeStream(context.Background(), conn)
	}()
}

func (m *machine) PID() int { return m.child.PID() }

func (m *machine) Kill() { m.child.Kill() }

// Resize implements vmm.Machine.
func (m *machine) Resize(ctx context.Context, disk int, size int64) error {
	return m.monitor.execute(ctx, "block_resize", map[string]any{"node-name": fmt.Sprintf("disk%d", disk), "size": size})
}

// Pause implements vmm.Machine.
func (m *machine) Pause(ctx context.Context) error { return m.monitor.execute(ctx, "stop", nil) }

// Resume implements vmm.Machine.
func (m *machine) Resume(ctx context.Context) error { return m.monitor.execute(ctx, "cont", nil) }

func (m *machine) Wait() error {
	err := m.child.Wait()
	<-m.network
	<-m.monitor.ended
	return m.verdict(err)
}

// verdict tells the host's faults from a guest's end. Told to terminate by a
// signal, QEMU says so and then exits with 0.
func (m *machine) verdict(err error) error {
	last := m.log.LastLine()
	var failure *process.Error
	switch {
	case errors.As(err, &failure):
		return &vmm.ExitError{VMM: Name, Status: failure.Status, Stderr: last}
	case err != nil: // the context's
		return &vmm.ExitError{VMM: Name, Status: "signal: killed", Stderr: last}
	case strings.Contains(last, "terminating on signal"):
		return &vmm.ExitError{VMM: Name, Status: "exit status 0", Stderr: last}
	}
	return nil
}
