package session

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a program that runs in a session and process group of its own.
type process struct {
	cmd   *exec.Cmd
	first bool // it is PID 1 of a namespace
	mu    sync.Mutex
	ended bool
	spent unix.Signal // what SIGKILL was sent for, or 0
}

// signal signals the whole group, as long as its number is certain to be its.
func (p *process) signal(sig unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return unix.ESRCH
	}
	if p.first && slices.Contains(named, sig) && !heeds(p.cmd.Process.Pid, sig) {
		p.spent, sig = sig, unix.SIGKILL
	}
	return unix.Kill(-p.cmd.Process.Pid, sig)
}

// hangUp tells the whole group that nobody is there any more.
func (p *process) hangUp() {
	p.signal(unix.SIGHUP)
	p.signal(unix.SIGCONT)
}

// wait returns when the program has ended. Until it is reaped, its number
// belongs to nobody else.
func (p *process) wait() unix.WaitStatus {
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.cmd.Wait() // its status is all that counts
	status := unix.WaitStatus(p.cmd.ProcessState.Sys().(syscall.WaitStatus))
	if p.spent != 0 && status.Signaled() {
		status = unix.WaitStatus(p.spent)
	}
	return status
}

// run runs cmd, connected to the client, and reports how it ended.
func (s *Session) run(cmd *exec.Cmd) {
	err := s.all.running.add(s)
	if err != nil {
		s.failExec(err)
		return
	}
	defer s.all.running.remove(s)
	defer s.end()
	if s.window != nil {
		err = s.runOnTerminal(cmd)
	} else {
		err = s.runOnPipes(cmd)
	}
	if err == nil {
		return
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // the rest is how the program was started
	}
	s.failExec(fmt.Errorf("%q: %w", cmd.Args[0], err))
}

// runOnPipes runs cmd with separate streams. Its exit status is sent as soon
// as it has ended; the streams end when nobody else holds them either.
func (s *Session) runOnPipes(cmd *exec.Cmd) error {
	var pipes [3]struct{ r, w *os.File }
	for i := range pipes {
		var err error
		if pipes[i].r, pipes[i].w, err = os.Pipe(); err != nil {
			return err
		}
		defer pipes[i].r.Close()
		defer pipes[i].w.Close()
	}
	in, out, errs := pipes[0], pipes[1], pipes[2]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in.r, out.w, errs.w
	cmd.SysProcAttr.Setsid = true
	p, err := s.start(cmd)
	if err != nil {
		return err
	}
	in.r.Close()
	out.w.Close()
	errs.w.Close()
	go func() {
		io.Copy(in.w, s.client.Stdin)
		in.w.Close()
	}()
	var copies sync.WaitGroup
	copies.Go(func() { io.Copy(s.client.Stdout, out.r); out.r.Close() })
	copies.Go(func() { io.Copy(s.client.Stderr, errs.r); errs.r.Close() })
	s.finish(p)
	copies.Wait()
	return nil
}
