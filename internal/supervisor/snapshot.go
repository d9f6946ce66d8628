package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/vmm"
)

// saveTimeout is how long a snapshot may hold a guest still.
const saveTimeout = 10 * time.Minute

// readyTimeout is how long a guest may take to make ready for it.
const readyTimeout = 5 * time.Second

// snapshot takes a snapshot for the caller, and gives it up if the caller hangs up.
func (s *supervisor) snapshot(conn net.Conn, dir string) {
	c := newCaller(conn)
	saved, err := s.takeSnapshot(c, dir)
	if err != nil {
		reply(conn, err)
		return
	}
	conn.SetWriteDeadline(time.Now().Add(requestTimeout))
	json.NewEncoder(conn).Encode(vm.Reply{Saved: &saved})
}

// takeSnapshot writes the guest's memory and state and its disk to dir, while it
// is held still. It goes on in any case, unless it was paused before.
func (s *supervisor) takeSnapshot(c *caller, dir string) (vm.Saved, error) {
	end, err := s.turns.take("a snapshot of it is being taken", c)
	if err != nil {
		return vm.Saved{}, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	go func() {
		select {
		case <-c.left():
			cancel()
		case <-ctx.Done():
		}
	}()
	s.mu.Lock()
	b, phase := s.boot, s.vm.State.Phase
	s.mu.Unlock()
	if b == nil || phase != vm.Running && phase != vm.Paused {
		return vm.Saved{}, &vm.PhaseError{Name: s.Name, Phase: phase}
	}
	if b.shares != nil {
		return vm.Saved{}, errShared
	}
	if err := s.checkRoom(dir, b.machine.PID()); err != nil {
		return vm.Saved{}, err
	}
	if phase == vm.Running { // a guest that says nothing can be saved all the same
		_, _ = b.agent.ask(readyTimeout, agentapi.StreamReady, nil)
	}
	held, err := b.machine.Save(ctx, dir)
	if err == nil {
		err = s.VMs.CopyDisk(ctx, s.Name, dir)
	}
	if phase == vm.Running {
		resuming, cancel := context.WithTimeout(context.Background(), pauseTimeout)
		defer cancel()
		err = errors.Join(err, b.resume(resuming))
	}
	paused := time.Since(held).Milliseconds()
	if err == nil {
		err = vmm.PunchZeros(ctx, filepath.Join(dir, statedir.Memory))
	}
	if err != nil {
		return vm.Saved{}, err
	}
	if phase == vm.Paused {
		paused = 0 // not for this
	}
	s.save(func(st *vm.State) { st.SnapshotPausedMillis = paused })
	return vm.Saved{Running: true, PausedMillis: paused}, nil
}

// checkRoom fails where a snapshot would fill the disk.
func (s *supervisor) checkRoom(dir string, pid int) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("find room for the snapshot: %w", err)
	}
	var disk unix.Stat_t
	if err := unix.Stat(s.VMs.Path(s.Name, statedir.Disk), &disk); err != nil {
		return fmt.Errorf("find room for the snapshot: %w", err)
	}
	need := min(resident(pid), int64(s.vm.MemoryMiB)<<20) + disk.Blocks*512
	if free := int64(fs.Bavail) * fs.Bsize; free < need {
		return fmt.Errorf("the snapshot takes up to %d MiB, and %d are free: %w", need>>20, free>>20, unix.ENOSPC)
	}
	return nil
}

// resident is how much memory a process has, in bytes.
func resident(pid int) int64 {
	data, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
