package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is how long the kernel lets a socket's path be, in bytes.
const maxSocketPath = 107

// listenUnix listens on a socket that is the user's alone, in place of one that
// nobody serves any more.
func listenUnix(path string) (net.Listener, error) {
	if err := checkUnserved(path); err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	draft := filepath.Join(dir, fmt.Sprintf(".banger-%d", os.Getpid()))
	if max(len(draft), len(path)) > maxSocketPath {
		return nil, fmt.Errorf("%s is too long for a socket: no more than %d bytes are", path, maxSocketPath)
	}
	os.Remove(draft) // of a process that had this one's number
	// Nobody can connect but the user, from the first moment on.
	before := syscall.Umask(0o177)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: draft, Net: "unix"})
	syscall.Umask(before)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(draft)
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		listener.Close()
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	return &namedListener{listener, path, info}, nil
}

// checkUnserved says why a server cannot have its socket at path.
func checkUnserved(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		err = fmt.Errorf("%s is there, and is no socket", path)
	}
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		conn.Close()
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.EAGAIN): // more connect than are accepted
		return err
	}
	return fmt.Errorf("%s is served already", path)
}

// namedListener is called what it was renamed to, and removes that.
type namedListener struct {
	net.Listener
	path string
	made fs.FileInfo
}

func (l *namedListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close leaves a socket that is another server's by now.
func (l *namedListener) Close() error {
	err := l.Listener.Close()
	if info, there := os.Lstat(l.path); there == nil && os.SameFile(info, l.made) {
		err = errors.Join(err, os.Remove(l.path))
	}
	return err
}
