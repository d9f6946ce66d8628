package sshd

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"banger/internal/agentapi"
	"banger/internal/guest/account"
	"banger/internal/guest/session"

	"golang.org/x/crypto/ssh"
)

// channel is a session channel, see RFC 4254, section 6. It runs one program.
type channel struct {
	*session.Session
	server   *Server
	conn     ssh.Conn
	login    account.Account
	started  bool
	terminal bool // its program has one
	agent    bool // the client's SSH agent is forwarded
	output   *output
}

// output is what a program's output goes to, until nobody reads it.
type output struct {
	io.Writer
	unread atomic.Bool
}

func (o *output) Write(p []byte) (int, error) {
	if o.unread.Load() {
		return 0, io.ErrClosedPipe
	}
	return o.Writer.Write(p)
}

func (s *Server) serveSession(ctx context.Context, conn *ssh.ServerConn, request ssh.NewChannel) {
	login, err := session.Lookup(conn.User())
	if err != nil {
		request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	accepted, requests, err := request.Accept()
	if err != nil {
		return
	}
	c := &channel{server: s, conn: conn, login: login, output: &output{Writer: accepted}}
	c.Session = s.sessions.Open(ctx, login, session.Client{
		Stdin: accepted, Stdout: c.output, Stderr: accepted.Stderr(),
		Exit: func(e session.Exit) { exit(accepted, e) },
		End: func() {
			accepted.CloseWrite()
			accepted.Close()
		},
	})
	c.tellOfConnection()
	c.serve(requests)
}

// tellOfConnection sets the variables by which programs, shells above all, know
// that they run for somebody elsewhere.
func (c *channel) tellOfConnection() {
	from, ok := c.conn.RemoteAddr().(*net.TCPAddr)
	to, known := c.conn.LocalAddr().(*net.TCPAddr)
	if ok && known {
		c.Setenv("SSH_CLIENT", fmt.Sprintf("%s %d %d", from.IP, from.Port, to.Port))
		c.Setenv("SSH_CONNECTION", fmt.Sprintf("%s %d %s %d", from.IP, from.Port, to.IP, to.Port))
	}
}

// serve handles requests until the client closes the channel or is gone.
func (c *channel) serve(requests <-chan *ssh.Request) {
	defer c.HangUp()
	for request := range requests {
		run, ok := c.handle(request)
		if request.WantReply {
			request.Reply(ok, nil)
		}
		if run != nil {
			c.started = true
			go run()
		}
	}
}

// handle does what a request asks for and reports whether it could. Where that
// is to run a program, it returns it: the client has to hear first that it
// will be run.
func (c *channel) handle(r *ssh.Request) (session.Program, bool) {
	switch r.Type {
	case "env":
		return nil, c.setEnv(r.Payload)
	case "pty-req":
		return nil, c.setPTY(r.Payload)
	case "window-change":
		return nil, c.resize(r.Payload)
	case "signal":
		return nil, c.signal(r.Payload)
	case "auth-agent-req@openssh.com":
		return nil, c.forwardAgent()
	case "eow@openssh.com": // end of write, as PROTOCOL of OpenSSH has it
		c.output.unread.Store(!c.terminal)
		return nil, true
	}
	if c.started {
		return nil, false
	}
	var run session.Program
	switch r.Type {
	case "shell":
		run = c.Exec(agentapi.Exec{})
	case "exec":
		run = c.line(r.Payload)
	case "subsystem":
		run = c.subsystem(r.Payload)
	}
	return run, run != nil
}

func (c *channel) setEnv(payload []byte) bool {
	var env struct{ Name, Value string }
	if ssh.Unmarshal(payload, &env) != nil {
		return false
	}
	c.Setenv(env.Name, env.Value)
	return true
}

// ptyRequest is the payload of pty-req.
type ptyRequest struct {
	Term          string
	Columns, Rows uint32
	Width, Height uint32 // pixels
	Modes         string
}

func (c *channel) setPTY(payload []byte) bool {
	var request ptyRequest
	if c.started || ssh.Unmarshal(payload, &request) != nil {
		return false
	}
	c.terminal = true
	c.SetWindow(session.Window{Variable: "SSH_TTY", Term: request.Term, Columns: request.Columns, Rows: request.Rows, Modes: []byte(request.Modes)})
	return true
}

func (c *channel) resize(payload []byte) bool {
	var size struct{ Columns, Rows, Width, Height uint32 }
	return ssh.Unmarshal(payload, &size) == nil && c.Resize(size.Columns, size.Rows)
}

func (c *channel) signal(payload []byte) bool {
	var signal struct{ Name string }
	return ssh.Unmarshal(payload, &signal) == nil && c.Signal(signal.Name)
}

// line runs a command line by the user's shell.
func (c *channel) line(payload []byte) session.Program {
	var command struct{ Line string }
	if ssh.Unmarshal(payload, &command) != nil {
		return nil
	}
	if command.Line == "" {
		command.Line = ":" // nothing to do, which is not the same as a shell
	}
	return c.Exec(agentapi.Exec{Line: command.Line})
}

func (c *channel) subsystem(payload []byte) session.Program {
	var subsystem struct{ Name string }
	if ssh.Unmarshal(payload, &subsystem) != nil || subsystem.Name != "sftp" {
		return nil
	}
	return c.Agent(SFTPArgument)
}
