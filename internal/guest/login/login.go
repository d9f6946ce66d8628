// Package login gives users' programs what a login gives them where the guest
// has systemd: a session of logind's with a control group of its own, and with it
// the user's own systemd, bus and runtime directory.
//
// A user has one session, for all programs that banger runs for it; a process of
// the agent's leads it and holds it open. Where there is no logind, or it does
// not answer, programs run without: nothing here keeps one from being run.
package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a program waits for its user's session. systemd lets
// nobody in before it has come some way.
const patience = 90 * time.Second

// Logins are the sessions of a guest's users.
type Logins struct {
	// Await returns when systemd takes calls, or why it never will.
	Await func(context.Context) error

	mu    sync.Mutex
	users map[uint32]*user
}

// Wait is what a program waits for that is to run in its user's session.
type Wait int

const (
	// NotAtAll joins a session that is there.
	NotAtAll Wait = iota
	// WhenUp has one made where systemd takes calls by now.
	WhenUp
	// ForBoot waits for systemd too.
	ForBoot
)

// user is one user's session, or the way to it.
type user struct {
	made    chan struct{} // closed when it is known whether there is one
	session *Session
}

// Session is one that programs can be run in.
type Session struct {
	said
	group *os.File // its control group, or nil
}

// said is what the leader of a session says of it.
type said struct {
	ID         string
	RuntimeDir string
	Group      string // below /sys/fs/cgroup
}

// Join returns the user's session, or nil where there is none, as with no Logins.
func (l *Logins) Join(ctx context.Context, uid uint32, wait Wait) *Session {
	if l == nil {
		return nil
	}
	u := l.user(uid, wait)
	if u == nil {
		return nil
	}
	if wait != NotAtAll {
		select {
		case <-u.made:
		case <-ctx.Done():
		}
	}
	select {
	case <-u.made:
		return u.session
	default:
		return nil
	}
}

// Retry lets the next program try again for a user's session that could not be made in
// time.
func (l *Logins) Retry(uid uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[uid]
	if u == nil {
		return
	}
	select {
	case <-u.made:
		if u.session == nil {
			delete(l.users, uid)
		}
	default:
	}
}

// user returns what there is of a user's session, and begins one where there is
// to be one.
func (l *Logins) user(uid uint32, wait Wait) *user {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[uid]
	if u != nil || wait == NotAtAll || wait == WhenUp && !isUp() {
		return u
	}
	u = &user{made: make(chan struct{})}
	if l.users == nil {
		l.users = map[uint32]*user{}
	}
	l.users[uid] = u
	go l.open(uid, u)
	return u
}

// isUp reports whether systemd takes calls.
func isUp() bool {
	_, err := os.Stat("/run/systemd/private")
	return err == nil
}

// open makes a user's session and forgets it when it has ended. One that could
// not be made is tried again for the next program, unless that would wait as long.
func (l *Logins) open(uid uint32, u *user) {
	first, err := l.begin(uid)
	if err == nil {
		u.session = first.session
	}
	close(u.made)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	if err == nil {
		first.cmd.Wait()
		first.stdin.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.users, uid)
}

// begin starts a session's leader once there is a bus to ask logind on.
func (l *Logins) begin(uid uint32) (*leader, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, os.ErrDeadlineExceeded)
	defer cancel()
	err := l.Await(ctx)
	if err == nil {
		err = exec.CommandContext(ctx, "systemctl", "start", "dbus.socket").Run()
	}
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	deadline, _ := ctx.Deadline()
	return start(uid, deadline)
}

// leader is a session's first process.
type leader struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser // which it ends with
	session *Session
}

// start starts a session's leader and hears what it says.
func start(uid uint32, deadline time.Time) (*leader, error) {
	answer, told, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"banger-agent", Argument, strconv.FormatUint(uint64(uid), 10)},
		Dir: "/", Env: []string{"GOMAXPROCS=1"}, Stdout: told, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	told.Close()
	if err != nil {
		return nil, err
	}
	l := &leader{cmd: cmd, stdin: stdin}
	if l.session, err = hear(answer, deadline); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		stdin.Close()
		return nil, err
	}
	return l, nil
}

// hear reads what a leader says of its session.
func hear(answer *os.File, deadline time.Time) (*Session, error) {
	answer.SetReadDeadline(deadline)
	var s Session
	if err := json.NewDecoder(io.LimitReader(answer, 1<<16)).Decode(&s.said); err != nil {
		return nil, err
	}
	if s.Group != "" {
		group, err := os.OpenFile(filepath.Join(groups, s.Group), unix.O_DIRECTORY|unix.O_PATH, 0)
		if err != nil {
			return nil, fmt.Errorf("open the session's control group: %w", err)
		}
		s.group = group
	}
	return &s, nil
}
