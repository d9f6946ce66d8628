package share

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"banger/internal/guest/console"
)

const (
	replyHead  = 16 // bytes that every message of the host's has
	maxMessage = 1<<20 + 4096
)

// carry carries messages between the kernel and the host until one of them ends it.
// Each way has a thread that waits in the kernel: a message wakes it, and nothing else.
// number is of the kernel's connection.
func carry(device, host int, number uint32) {
	ended := make(chan error, 3)
	news := newNews()
	go func() { ended <- onThread(func() error { return outward(device, host) }) }()
	go func() { ended <- onThread(func() error { return inward(host, device, news) }) }()
	go func() { ended <- onThread(func() error { return news.deliver(device) }) }()
	console.Log("a directory of the host's is gone: %v", <-ended)
	news.end()
	// The threads have to leave their descriptors before those can be closed.
	unix.Shutdown(host, unix.SHUT_RDWR)
	abort(number)
	<-ended
	<-ended
	unix.Close(host)
	unix.Close(device)
}

// connections is where the kernel shows its FUSE connections.
const connections = "/sys/fs/fuse/connections"

// abort makes the kernel give up a FUSE connection: whoever waits for an answer gets an
// error, and so does whoever uses the file system later.
func abort(number uint32) {
	file := filepath.Join(connections, strconv.Itoa(int(number)), "abort")
	if _, err := os.Stat(file); err != nil {
		unix.Mount("fusectl", connections, "fusectl", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	err := os.WriteFile(file, []byte("1"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // it has been unmounted
		console.Log("warning: give a directory of the host's up: %v", err)
	}
}

func onThread(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return f()
}

// outward carries what the kernel asks for.
func outward(device, host int) error {
	buf := make([]byte, maxMessage)
	for {
		n, err := unix.Read(device, buf)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOENT): // it is wanted no more
			continue
		case err != nil:
			return err
		}
		if err := writeAll(host, buf[:n]); err != nil {
			return err
		}
	}
}

func writeAll(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

var errGarbled = errors.New("the host says what is no answer")

// inward carries the answers, and lays news aside.
func inward(host, device int, news *news) error {
	buf := make([]byte, 2*maxMessage)
	have := 0
	for {
		n, err := unix.Read(host, buf[have:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return errors.New("the host ended it")
		}
		have += n
		rest, err := deliver(device, buf[:have], news)
		if err != nil {
			return err
		}
		have = copy(buf, rest)
	}
}

// deliver gives the kernel all whole messages, and returns what is left.
func deliver(device int, data []byte, news *news) ([]byte, error) {
	for len(data) >= replyHead {
		size := binary.LittleEndian.Uint32(data)
		if size < replyHead || size > maxMessage {
			return nil, errGarbled
		}
		if len(data) < int(size) {
			break
		}
		if binary.LittleEndian.Uint64(data[8:]) == 0 { // the answer to nothing
			news.add(data[:size])
			data = data[size:]
			continue
		}
		// An answer to what is wanted no more is an error to nobody.
		if _, err := unix.Write(device, data[:size]); errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EBADF) {
			return nil, err
		}
		data = data[size:]
	}
	return data, nil
}
