// Package usersocket makes Unix sockets that are one user's alone, whoever makes
// them. It never gives away anything but a socket.
package usersocket

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/internal/guest/account"
)

// Listen listens on a Unix socket that is user's, and nobody else's before.
func Listen(user account.Account, path string) (net.Listener, error) {
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		controlErr := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(controlErr, err)
	}}
	listener, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := give(user, path); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// give makes a socket user's, as far as this process may, and nothing else that
// the user may have put in its place.
func give(user account.Account, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return unix.ENOTSOCK
	}
	return unix.Fchownat(fd, "", int(user.UID), int(user.GID), unix.AT_EMPTY_PATH)
}

// Agent listens on a new socket for an SSH agent, in a directory of user's own
// below runDir, which is made where absent. Close removes both.
func Agent(user account.Account, runDir string) (net.Listener, error) {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(runDir, "agent-")
	if err != nil {
		return nil, err
	}
	listener, err := Listen(user, filepath.Join(dir, "socket"))
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(dir, int(user.UID), int(user.GID))
	}
	if err != nil {
		if listener != nil {
			listener.Close()
		}
		os.RemoveAll(dir)
		return nil, err
	}
	return &inDir{listener, dir}, nil
}

// inDir is a listener with a directory for it.
type inDir struct {
	net.Listener
	dir string
}

func (l *inDir) Close() error { return errors.Join(l.Listener.Close(), os.RemoveAll(l.dir)) }
