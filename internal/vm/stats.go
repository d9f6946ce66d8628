package vm

import (
	"context"
	"errors"
	"time"

	"banger/internal/agentapi"
)

// Stats is the use that is made of a VM that runs, as its supervisor sees it and as
// its guest says. Counters are since its start.
type Stats struct {
	Time               time.Time       `json:"time"`
	Phase              Phase           `json:"phase"`
	CPUNanos           int64           `json:"cpu_ns"` // that the VMM has had of the host's processors
	SupervisorCPUNanos int64           `json:"supervisor_cpu_ns"`
	Memory             int64           `json:"memory"`            // of the host's that the VMM has, in bytes
	SupervisorMemory   int64           `json:"supervisor_memory"` // in bytes
	DiskUsage          int64           `json:"disk_usage"`        // of the VM's own disk, in bytes
	Guest              *agentapi.Stats `json:"guest,omitempty"`   // nil where it does not answer
}

// Stats returns what the named VM takes. To ask does not count as use of the VM.
func (s *Store) Stats(ctx context.Context, name string) (Stats, error) {
	if err := s.alive(name); err != nil {
		return Stats{}, err
	}
	conn, reply, err := s.request(ctx, name, Request{Op: OpStats})
	if err != nil {
		return Stats{}, err
	}
	conn.Close()
	if reply.Stats == nil {
		return Stats{}, errors.New("the supervisor said nothing of the use")
	}
	return *reply.Stats, nil
}
