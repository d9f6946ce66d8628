package supervisor

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"time"

	"banger/internal/agentapi"
	"banger/internal/process"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// statsTimeout is how long a guest may take to say what it uses.
const statsTimeout = 3 * time.Second

// stats answers with the use that is made of the VM, which is no use of it. A guest
// that does not answer, or is paused, says nothing.
func (s *supervisor) stats(conn net.Conn) {
	stats, err := s.usage()
	if err != nil {
		reply(conn, err)
		return
	}
	conn.SetWriteDeadline(time.Now().Add(requestTimeout))
	json.NewEncoder(conn).Encode(vm.Reply{Stats: &stats})
}

func (s *supervisor) usage() (vm.Stats, error) {
	s.mu.Lock()
	b, phase := s.boot, s.vm.State.Phase
	s.mu.Unlock()
	if b == nil || b.machine == nil || phase != vm.Running && phase != vm.Paused {
		return vm.Stats{}, errors.New("it is " + string(phase))
	}
	stats := vm.Stats{Phase: phase, Time: time.Now().UTC(), Memory: resident(b.machine.PID()), SupervisorMemory: resident(os.Getpid())}
	for pid, used := range map[int]*int64{b.machine.PID(): &stats.CPUNanos, os.Getpid(): &stats.SupervisorCPUNanos} {
		if taken, err := process.CPUTime(pid); err == nil {
			*used = taken.Nanoseconds()
		}
	}
	if info, err := os.Stat(s.VMs.Path(s.Name, statedir.Disk)); err == nil {
		stats.DiskUsage = statedir.DiskUsage(info)
	}
	if phase == vm.Paused {
		return stats, nil
	}
	said, err := b.agent.ask(statsTimeout, agentapi.StreamStats, nil)
	guest := new(agentapi.Stats)
	if err == nil && json.Unmarshal(said, guest) == nil {
		stats.Guest, stats.Time = guest, time.Now().UTC()
	}
	return stats, nil
}
