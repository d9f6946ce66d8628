package statedir

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Unix socket's path may have 107 bytes at the most, a state directory's may
// have more: both sides go by way of a descriptor of the directory.

// ListenSocket serves the socket at path, replacing what a dead process left.
// The caller holds the lock beside it.
func ListenSocket(path string) (net.Listener, error) { return listenSocket("unix", path) }

// ListenPackets is ListenSocket for connections of packets.
func ListenPackets(path string) (net.Listener, error) { return listenSocket("unixpacket", path) }

func listenSocket(network, path string) (net.Listener, error) {
	os.Remove(path)
	var listener net.Listener
	err := viaDir(path, func(short string) (err error) {
		listener, err = net.Listen(network, short)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &socket{listener, path}, nil
}

// socket is a listener that takes its file away when it is closed: the path that
// it knows of itself does not last.
type socket struct {
	net.Listener
	path string
}

func (s *socket) Close() error {
	os.Remove(s.path)
	return s.Listener.Close()
}

// RemoveSocket deletes what a dead process left of the socket at path. The caller
// holds the lock beside it.
func RemoveSocket(path string) { os.Remove(path) }

// DialSocket connects to the socket at path.
func DialSocket(ctx context.Context, path string) (net.Conn, error) {
	return dialSocket(ctx, "unix", path)
}

// DialPackets is DialSocket for ListenPackets.
func DialPackets(ctx context.Context, path string) (net.Conn, error) {
	return dialSocket(ctx, "unixpacket", path)
}

func dialSocket(ctx context.Context, network, path string) (net.Conn, error) {
	var conn net.Conn
	err := viaDir(path, func(short string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, short)
		return err
	})
	return conn, err
}

func viaDir(path string, use func(short string) error) error {
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	defer unix.Close(fd)
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)))
}
