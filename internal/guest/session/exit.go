package session

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"banger/internal/agentapi"

	"golang.org/x/sys/unix"
)

// Exit is how a program ended.
type Exit struct {
	Status int         // as a shell says it
	Signal unix.Signal // what ended it, where that has a name in SSH; else 0
	Core   bool
}

// finish waits for p and reports how it ended.
func (s *Session) finish(p *process) {
	status := p.wait()
	if !status.Signaled() {
		s.exit(status.ExitStatus())
		return
	}
	exit := Exit{Status: 128 + int(status.Signal()), Core: status.CoreDump()}
	if slices.Contains(named, status.Signal()) {
		exit.Signal = status.Signal()
	}
	s.client.Exit(exit)
}

// named are the signals that SSH has names for, RFC 4254, section 6.10.
var named = []unix.Signal{
	unix.SIGABRT, unix.SIGALRM, unix.SIGFPE, unix.SIGHUP, unix.SIGILL, unix.SIGINT, unix.SIGKILL,
	unix.SIGPIPE, unix.SIGQUIT, unix.SIGSEGV, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
}

func (s *Session) exit(status int) { s.client.Exit(Exit{Status: status}) }

// failExec is fail for a program that cannot be run, with the status that
// shells give then.
func (s *Session) failExec(err error) {
	status := agentapi.ExitNotExecutable
	if errors.Is(err, errNotFound) || errors.Is(err, fs.ErrNotExist) {
		status = agentapi.ExitNotFound
	}
	s.fail(status, fmt.Errorf("exec: %w", err))
}

// fail tells the user why there is nothing to see.
func (s *Session) fail(status int, err error) {
	end := "\n"
	if s.window != nil {
		end = "\r\n" // the client's terminal is raw
	}
	fmt.Fprintf(s.client.Stderr, "banger: %v%s", err, end)
	s.exit(status)
}
