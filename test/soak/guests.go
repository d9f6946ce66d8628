package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"banger/internal/agentapi"
)

// guestHome is a home with the fixtures' kernel and image.
func (s *soak) guestHome() (*home, func(), error) {
	h, remove, err := s.newHome("")
	if err != nil {
		return nil, nil, err
	}
	for _, kind := range []string{"kernels", "images"} {
		from := filepath.Join(s.fixtures, ".local/state/banger", kind, "debian")
		err = errors.Join(err, os.MkdirAll(h.state(kind), 0o700))
		if out, failed := exec.Command("cp", "-a", "--link", from, h.state(kind)).CombinedOutput(); failed != nil {
			err = errors.Join(err, skipped{"no kernel and image to boot: " + string(out)})
		}
	}
	if err != nil {
		remove()
		return nil, nil, err
	}
	return h, func() {
		for _, name := range []string{"box", "copy", steady} {
			h.run("vm", "rm", "--force", name)
		}
		remove()
	}, nil
}

// steady is the VM that lives all the time.
const steady = "steady"

// bootArgs begin a run on a small VM.
func bootArgs(args ...string) []string {
	return append([]string{"vm", "run", "--image", "debian", "--memory", "256M"}, args...)
}

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

// supervisor finds the supervisor of a VM, 0 where it has none.
func (h *home) supervisor(name string) int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		if len(args) > 2 && args[1] == "supervise" && args[len(args)-1] == name && strings.Contains(string(environ), "HOME="+h.dir+"\x00") {
			var pid int
			fmt.Sscanf(file, "/proc/%d/", &pid)
			return pid
		}
	}
	return 0
}

// weight is what a supervisor takes of its host.
type weight struct{ kilobytes, descriptors int }

func (w weight) String() string {
	return fmt.Sprintf("%.1f MiB and %d descriptors", float64(w.kilobytes)/1024, w.descriptors)
}

// Go's collector and a connection that is just ending make for some noise.
const (
	noiseKilobytes   = 24 << 10
	noiseDescriptors = 8
	mostKilobytes    = 100 << 10
)

func (w weight) within(before weight) error {
	if w.kilobytes > before.kilobytes+noiseKilobytes || w.kilobytes > mostKilobytes || w.descriptors > before.descriptors+noiseDescriptors {
		return fmt.Errorf("a supervisor grew from %v to %v", before, w)
	}
	return nil
}

// weigh weighs the supervisor of the VM that lives all the time.
func (h *home) weigh() (w weight, err error) {
	pid := h.supervisor(steady)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return w, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &w.kilobytes)
	}
	w.descriptors = len(fds)
	return w, err
}

// hostileProgram is where the guest's program is built from.
const hostileProgram = "test/vm/testdata/hostile"

// hostile lets a guest do its worst, and looks what its supervisor makes of it. The
// time that it has begins when the guest is up.
func hostile(ctx context.Context, s *soak) error {
	deadline, _ := ctx.Deadline()
	share := time.Until(deadline)
	h, remove, err := s.guestHome()
	if err != nil {
		return err
	}
	defer remove()
	program := filepath.Join(h.inputs, "hostile")
	build := exec.Command("scripts/go.sh", "build", "-trimpath", "-o", program, "./"+hostileProgram)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the hostile program: %w: %s", err, out)
	}
	if _, err := h.must(bootArgs("--name", steady, "--host-loopback", "--disk", "64M", h.inputs, "--", "true")...); err != nil {
		return err
	}
	before, err := h.weigh()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), share)
	defer cancel()
	sink, err := pit(ctx, func(net.Conn) {})
	if err != nil {
		return err
	}
	source, err := pit(ctx, func(conn net.Conn) { io.Copy(conn, zeros{}) })
	if err != nil {
		return err
	}
	worst := before
	attack := h.command(ctx, "vm", "exec", steady, "--", "/root/inputs/hostile", "-sink", sink, "-source", source)
	if err := attack.Start(); err != nil {
		return err
	}
	for ; ctx.Err() == nil; s.rounds++ {
		now, err := h.weigh()
		if err != nil {
			return fmt.Errorf("the supervisor did not live through it: %w", err)
		}
		worst.kilobytes, worst.descriptors = max(worst.kilobytes, now.kilobytes), max(worst.descriptors, now.descriptors)
		if _, err := h.must("vm", "list"); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	attack.Wait()
	fmt.Printf("soak: hostile: a supervisor went from %v to %v at the most\n", before, worst)
	if worst.kilobytes > mostKilobytes {
		return fmt.Errorf("a hostile guest grew its supervisor to %v", worst)
	}
	return h.end(steady)
}

// pit is a server that never reads, until ctx ends; serve sends, or does not. It
// returns its address in a guest.
func pit(ctx context.Context, serve func(net.Conn)) (inGuest string, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			go serve(conn)
		}
	}()
	return fmt.Sprintf("%s:%d", agentapi.HostIP, listener.Addr().(*net.TCPAddr).Port), nil
}

// zeros is an endless stream of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
