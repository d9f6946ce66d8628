package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// guests boots VMs and kills what runs them, beside one that lives all the time
// and whose supervisor is not to grow.
func guests(ctx context.Context, s *soak) error {
	h, remove, err := s.guestHome()
	if err != nil {
		return err
	}
	defer remove()
	if _, err := h.must(bootArgs("--name", steady, "--", "true")...); err != nil {
		return err
	}
	before, err := h.weigh()
	if err != nil {
		return err
	}
	for ; ctx.Err() == nil; s.rounds++ {
		trouble := pick(s, []func(*home) error{s.killRun, s.killSupervisor, s.stopAndStart, s.snapshotAndRestore, s.useSSH, s.buildImage})
		if err := trouble(h); err != nil {
			return err
		}
		if _, err := h.must("vm", "exec", steady, "--", "sh", "-c", "echo $$ && sync"); err != nil {
			return err
		}
	}
	after, err := h.weigh()
	if err != nil {
		return err
	}
	fmt.Printf("soak: guests: a supervisor went from %v to %v\n", before, after)
	if err := after.within(before); err != nil {
		return err
	}
	return h.end(steady)
}

// end removes a VM, and is an error where something of it stays.
func (h *home) end(name string) error {
	if _, err := h.must("vm", "rm", "--force", name); err != nil {
		return err
	}
	if pids := h.processes(); len(pids) > 0 {
		return fmt.Errorf("processes are left: %v", pids)
	}
	return errors.Join(h.noLeftovers(), h.noMounts())
}

// killRun kills a run of a command, its supervisor, or both, at a random time.
func (s *soak) killRun(h *home) error {
	moment := time.Duration(s.rand.IntN(12_000)) * time.Millisecond
	both, alone := s.rand.IntN(3) == 0, s.rand.IntN(2) == 0
	cmd := h.command(context.Background(), bootArgs("--rm", "--name", "box", "--", "sleep", "1000")...)
	if err := cmd.Start(); err != nil {
		return err
	}
	time.Sleep(moment)
	supervisor := h.supervisor("box")
	if (both || alone) && supervisor > 0 {
		syscall.Kill(supervisor, syscall.SIGKILL)
	}
	if both || !alone || supervisor == 0 {
		cmd.Process.Kill()
	}
	cmd.Wait()
	return h.gone("box", moment)
}

// unsupervised returns when a VM has no supervisor any more.
func (h *home) unsupervised(name string) error {
	for begin := time.Now(); h.supervisor(name) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			return fmt.Errorf("the supervisor of %s lives on", name)
		}
	}
	return nil
}

// gone waits for the supervisor of a run that was killed to end by itself, and is
// an error where anything of the VM is there after the next command.
func (h *home) gone(name string, moment time.Duration) error {
	if err := h.unsupervised(name); err != nil {
		return fmt.Errorf("a run was killed after %s: %w", moment, err)
	}
	if _, err := h.must("vm", "list"); err != nil {
		return err
	}
	if _, err := os.Stat(h.state("vms", name)); err == nil {
		return fmt.Errorf("the vm of a run that was killed after %s is there still", moment)
	}
	return nil
}

// killSupervisor kills the supervisor of a VM that stays, which has to start
// again with a whole disk.
func (s *soak) killSupervisor(h *home) error {
	if _, err := h.must(bootArgs("--name", "box", "--", "sh", "-c", "echo kept > /root/kept; sync")...); err != nil {
		return err
	}
	busy := h.command(context.Background(), "vm", "exec", "box", "--", "sh", "-c", "while :; do date > /root/now; sync; done")
	if err := busy.Start(); err != nil {
		return err
	}
	time.Sleep(time.Duration(s.rand.IntN(1000)) * time.Millisecond)
	syscall.Kill(h.supervisor("box"), syscall.SIGKILL)
	busy.Wait()
	if err := h.unsupervised("box"); err != nil {
		return err
	}
	if _, err := h.must("vm", "start", "box"); err != nil {
		return err
	}
	out, err := h.must("vm", "exec", "box", "--", "cat", "/root/kept")
	if err == nil && out != "kept\n" {
		err = fmt.Errorf("what was flushed in the guest reads %q", out)
	}
	if err != nil {
		return err
	}
	return h.stopAndRemove("box")
}

// stopAndStart is what users do.
func (s *soak) stopAndStart(h *home) error {
	if _, err := h.must(bootArgs("--name", "box", "--", "true")...); err != nil {
		return err
	}
	for _, args := range [][]string{{"vm", "stop", "box"}, {"vm", "start", "box"}, {"vm", "exec", "box", "--", "true"}} {
		if _, err := h.must(args...); err != nil {
			return err
		}
	}
	return h.stopAndRemove("box")
}

func (h *home) stopAndRemove(name string) error {
	if _, err := h.must("vm", "stop", name); err != nil {
		return err
	}
	_, err := h.must("vm", "rm", name)
	return err
}
