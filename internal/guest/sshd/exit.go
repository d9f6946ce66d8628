package sshd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"banger/internal/agentapi"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// finish waits for p and reports how it ended.
func (s *session) finish(p *process) {
	status := p.wait()
	switch sig := status.Signal(); {
	case !status.Signaled():
		s.exit(status.ExitStatus())
	case slices.Contains(named, sig):
		s.exitSignal(sig, status.CoreDump())
	default:
		s.exit(128 + int(sig)) // as a shell says it
	}
}

// named are the signals that SSH has names for, RFC 4254, section 6.10.
var named = []unix.Signal{
	unix.SIGABRT, unix.SIGALRM, unix.SIGFPE, unix.SIGHUP, unix.SIGILL, unix.SIGINT, unix.SIGKILL,
	unix.SIGPIPE, unix.SIGQUIT, unix.SIGSEGV, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
}

// exit reports the program's exit status.
func (s *session) exit(status int) {
	payload := struct{ Status uint32 }{uint32(status)}
	s.channel.SendRequest("exit-status", false, ssh.Marshal(&payload))
}

// exitSignal reports that a signal ended the program.
func (s *session) exitSignal(sig unix.Signal, core bool) {
	payload := struct {
		Name          string
		Core          bool
		Message, Lang string
	}{Name: strings.TrimPrefix(unix.SignalName(sig), "SIG"), Core: core}
	s.channel.SendRequest("exit-signal", false, ssh.Marshal(&payload))
}

// failExec is fail for a program that cannot be run, with the status that
// shells give then.
func (s *session) failExec(err error) {
	status := agentapi.ExitNotExecutable
	if errors.Is(err, errNotFound) || errors.Is(err, fs.ErrNotExist) {
		status = agentapi.ExitNotFound
	}
	s.fail(status, fmt.Errorf("exec: %w", err))
}

// fail tells the user why there is nothing to see.
func (s *session) fail(status int, err error) {
	end := "\n"
	if s.pty != nil {
		end = "\r\n" // the client's terminal is raw
	}
	fmt.Fprintf(s.channel.Stderr(), "banger: %v%s", err, end)
	s.exit(status)
}
