package usernet

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/waiter"

	"banger/internal/agentapi"
)

// A guest can have thousands of connections that do nothing. So a buffer is
// taken only when there is something to read.

// bufferSize is larger than any datagram, in bytes.
const bufferSize = 128 << 10

type transferBuffer [bufferSize]byte

var buffers = sync.Pool{New: func() any { return new(transferBuffer) }}

// errDone says that the waiting was ended by the caller.
var errDone = errors.New("done")

// guestSocket reads from the guest.
type guestSocket struct {
	endpoint tcpip.Endpoint
	queue    *waiter.Queue
	entry    waiter.Entry
	readable chan struct{}
}

func newGuestSocket(endpoint tcpip.Endpoint, queue *waiter.Queue) *guestSocket {
	s := &guestSocket{endpoint: endpoint, queue: queue}
	s.entry, s.readable = waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventHUp | waiter.EventErr)
	queue.EventRegister(&s.entry)
	return s
}

// release lets go of the endpoint, which stays open.
func (s *guestSocket) release() { s.queue.EventUnregister(&s.entry) }

// receive waits for data and hands it to use: what is there of a stream, or a
// datagram. The error is io.EOF at a stream's end and errDone when done is
// closed.
func (s *guestSocket) receive(done <-chan struct{}, use func([]byte) error) error {
	for {
		blocked, err := s.try(use)
		if !blocked {
			return err
		}
		select {
		case <-s.readable:
		case <-done:
			return errDone
		}
	}
}

func (s *guestSocket) try(use func([]byte) error) (blocked bool, err error) {
	buf := buffers.Get().(*transferBuffer)
	defer buffers.Put(buf)
	writer := tcpip.SliceWriter(buf[:])
	result, stackErr := s.endpoint.Read(&writer, tcpip.ReadOptions{})
	switch stackErr.(type) {
	case nil:
		s.endpoint.ModerateRecvBuf(result.Count)
		return false, use(buf[:result.Count])
	case *tcpip.ErrWouldBlock:
		return true, nil
	case *tcpip.ErrClosedForReceive:
		return false, io.EOF
	}
	return false, stackError(stackErr)
}

// receiveFromHost waits for data from a host's socket and hands it to use: what
// is there of a stream, no data at its end, or a datagram. read is readStream
// or readDatagram.
func receiveFromHost(socket syscall.Conn, read func(fd int, buf []byte) (int, error), use func([]byte) error) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var buf *transferBuffer
	var size int
	var readErr error
	err = raw.Read(func(fd uintptr) (ready bool) {
		buf = buffers.Get().(*transferBuffer)
		size, readErr = read(int(fd), buf[:])
		if readErr == nil {
			return true
		}
		buffers.Put(buf)
		return !errors.Is(readErr, unix.EAGAIN)
	})
	if err := errors.Join(err, readErr); err != nil {
		return err
	}
	defer buffers.Put(buf)
	return use(buf[:size])
}

// maxSegments is a whole number of the longest TCP segments to the guest that
// fit a buffer, in bytes: an odd rest would be a packet of its own each time.
const maxSegments = bufferSize / maxSegment * maxSegment

// maxSegment is the data in the longest packet, behind the headers of IP and
// TCP; the stack leaves room for all options. In bytes.
const maxSegment = agentapi.MTU - header.IPv4MinimumSize - header.TCPHeaderMaximumSize

// readStream reads all that is there and fits, but for a rest.
func readStream(fd int, buf []byte) (total int, err error) {
	for buf = buf[:maxSegments]; total < len(buf); {
		n, err := readDatagram(fd, buf[total:])
		if total += n; n == 0 || err != nil {
			if total > 0 {
				return total, nil // the next call meets the end or the error
			}
			return 0, err
		}
	}
	return total, nil
}

func readDatagram(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}
