// Package session runs programs in the guest for clients of the host, whatever
// carries their streams: as the user that the client names, on pipes or on a
// terminal, with the client's signals.
//
// It knows no transport: what SSH and the link have in common is here, and how
// each says it is theirs. It never runs anything as another user than asked for.
package session

import (
	"context"
	"io"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"

	"banger/internal/guest/account"
	"banger/internal/guest/login"
	"banger/internal/guest/terminal"
)

// Config is what sessions need to know of the guest.
type Config struct {
	// WaitInit returns when the guest's init has booted it.
	WaitInit func(context.Context) error
	// WriteRoot writes the guest's root filesystem as a tar.
	WriteRoot func(io.Writer) error
	// Logins are the users' sessions where the guest's init has such.
	Logins *login.Logins
	// Env is what every program has in its environment; nil is nothing.
	Env func() []string
	// Rest returns when the guest has booted and has freed what memory it can,
	// and says what its init says of it.
	Rest func(context.Context) (state string, err error)
}

// Sessions are all the sessions of a guest.
type Sessions struct {
	config  Config
	running running
}

// New makes ready for sessions.
func New(c Config) *Sessions { return &Sessions{config: c} }

// etc is where the users are described.
const etc = "/etc"

// Lookup finds the user whom a client names.
func Lookup(user string) (account.Account, error) { return account.Lookup(etc, user) }

// Client is whom a session runs its program for.
type Client struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Exit tells the client how the program ended. Output may still come.
	Exit func(Exit)
	// End tells the client that no more comes.
	End func()
}

// Session is one client's, for one program.
type Session struct {
	all    *Sessions
	login  account.Account
	client Client
	env    []string
	first  bool           // its program is to be PID 1
	within *login.Session // what its program runs in, or nil

	end    func()          // once
	ctx    context.Context // ends with the client's interest
	cancel context.CancelFunc

	mu       sync.Mutex
	window   *Window            // nil without a terminal
	process  *process           // once it runs
	terminal *terminal.Terminal // while it has one
}

// Open opens a session for login. The caller ends it by HangUp.
func (all *Sessions) Open(ctx context.Context, login account.Account, c Client) *Session {
	s := &Session{all: all, login: login, client: c, end: sync.OnceFunc(c.End)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// Program is what a session runs. It returns when the client knows how it ended
// and that no more comes.
type Program func()

func (s *Session) program(do func()) Program {
	return func() {
		do()
		s.end()
	}
}

// Setenv sets a variable of the program to come.
func (s *Session) Setenv(name, value string) { s.env = append(s.env, name+"="+value) }

// Done is closed when the client has lost interest.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Signal sends a signal, named without SIG, to the program and its children, and
// reports whether it could. Before there is a program, any signal takes back the
// wish for one.
func (s *Session) Signal(name string) bool {
	sig := unix.SignalNum("SIG" + name)
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

// HangUp tells the program, where it still runs, that nobody is there any more.
func (s *Session) HangUp() {
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

// start starts cmd, unless the client has lost interest.
func (s *Session) start(cmd *exec.Cmd) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	if s.first {
		if err := asFirst(cmd); err != nil {
			return nil, err
		}
	}
	cmd, err := s.within.Start(cmd)
	if err != nil {
		return nil, err
	}
	s.process = &process{cmd: cmd, first: s.first}
	return s.process, nil
}
