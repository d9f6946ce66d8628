package sshd

import (
	"context"
	"sync"

	"banger/internal/agentapi"
	"banger/internal/guest/account"
	"banger/internal/guest/terminal"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// session is a session channel, see RFC 4254, section 6. It runs one program.
type session struct {
	server  *Server
	conn    ssh.Conn
	login   account.Account
	channel ssh.Channel
	env     []string
	pty     *ptyRequest // nil without a terminal
	started bool
	first   bool // its program is to be PID 1

	agentSocket string // leads to the client's SSH agent, "" where it is not forwarded

	ctx    context.Context // ends with the client's interest
	cancel context.CancelFunc

	mu       sync.Mutex
	process  *process           // once it runs
	terminal *terminal.Terminal // while it has one
}

// program is what a session runs. It ends by reporting an exit status.
type program func()

func (s *Server) serveSession(ctx context.Context, conn *ssh.ServerConn, request ssh.NewChannel) {
	login, err := account.Lookup(etc, conn.User())
	if err != nil {
		request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := request.Accept()
	if err != nil {
		return
	}
	session := &session{server: s, conn: conn, login: login, channel: channel}
	session.ctx, session.cancel = context.WithCancel(ctx)
	session.serve(requests)
}

// serve handles requests until the client closes the channel or is gone.
func (s *session) serve(requests <-chan *ssh.Request) {
	defer s.hangUp()
	for request := range requests {
		run, ok := s.handle(request)
		if request.WantReply {
			request.Reply(ok, nil)
		}
		if run != nil {
			s.started = true
			go func() {
				run()
				s.channel.Close()
			}()
		}
	}
}

// handle does what a request asks for and tells whether it could. Where that
// is to run a program, it returns it: the client has to hear first that it
// will be run.
func (s *session) handle(r *ssh.Request) (program, bool) {
	switch r.Type {
	case "env":
		return nil, s.setEnv(r.Payload)
	case "pty-req":
		return nil, s.setPTY(r.Payload)
	case "window-change":
		return nil, s.resize(r.Payload)
	case "signal":
		return nil, s.signal(r.Payload)
	case "auth-agent-req@openssh.com":
		return nil, s.forwardAgent()
	}
	if s.started {
		return nil, false
	}
	var run program
	switch r.Type {
	case "shell":
		run = s.loginShell()
	case "exec":
		run = s.execRequest(r.Payload)
	case "subsystem":
		run = s.subsystem(r.Payload)
	case agentapi.RequestExec:
		run = s.bangerExec(r.Payload)
	case agentapi.RequestUntar:
		run = s.bangerUntar(r.Payload)
	case agentapi.RequestTar:
		run = s.bangerTar
	}
	return run, run != nil
}

func (s *session) setEnv(payload []byte) bool {
	var env struct{ Name, Value string }
	if ssh.Unmarshal(payload, &env) != nil {
		return false
	}
	s.env = append(s.env, env.Name+"="+env.Value)
	return true
}

// signal sends a signal to the program and its children. Before there is a
// program, any signal takes back the wish for one.
func (s *session) signal(payload []byte) bool {
	var named struct{ Name string }
	if ssh.Unmarshal(payload, &named) != nil {
		return false
	}
	sig := unix.SignalNum("SIG" + named.Name)
	if sig == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.cancel()
		return true
	}
	return s.process.signal(sig) == nil
}

// hangUp tells the program, where it still runs, that nobody is there any more.
func (s *session) hangUp() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.hangUp()
	}
	if s.terminal != nil {
		s.terminal.Master.Close() // which hangs up on what is in its foreground
	}
}
