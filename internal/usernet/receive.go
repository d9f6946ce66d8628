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

// A guest can have thousands of connections that do nothing, or that wait. So a
// buffer is taken only when there is something to read, a large one only where
// much came the last time, and where many are taken, those that follow are small.
const (
	bufferSize  = 128 << 10 // bytes: larger than any datagram
	smallSize   = 4 << 10
	maxLarge    = 16 // that are taken at a time
	maxDatagram = 16 // and for datagrams
)

// transferBuffer is memory for what is being carried.
type transferBuffer struct {
	data []byte
	free func()
}

var (
	large      = sync.Pool{New: func() any { return new([bufferSize]byte) }}
	small      = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largeTurns = newBudget(maxLarge)
	turns      = newBudget(maxDatagram)
)

// takeBuffer returns a buffer, which has to be freed. last is how much was read
// the last time.
func takeBuffer(last int) transferBuffer {
	if last >= smallSize && largeTurns.take() {
		return takeLarge(largeTurns)
	}
	buf := small.Get().(*[smallSize]byte)
	return transferBuffer{buf[:], func() { small.Put(buf) }}
}

// takeDatagramBuffer waits for a buffer that any datagram fits.
func takeDatagramBuffer() transferBuffer {
	turns <- struct{}{}
	return takeLarge(turns)
}

func takeLarge(turn budget) transferBuffer {
	buf := large.Get().(*[bufferSize]byte)
	return transferBuffer{buf[:], func() {
		large.Put(buf)
		turn.leave()
	}}
}

// errDone says that the waiting was ended by the caller.
var errDone = errors.New("done")

// guestSocket reads datagrams from the guest.
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

// release ends the watch of the endpoint, which stays open.
func (s *guestSocket) release() { s.queue.EventUnregister(&s.entry) }

// receive waits for a datagram and hands it to use. The error is errDone when
// done is closed.
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
	buf := takeDatagramBuffer()
	defer buf.free()
	n, blocked, err := readGuest(s.endpoint, buf.data)
	if blocked || err != nil {
		return blocked, err
	}
	return false, use(buf.data[:n])
}

// readGuest reads what is there of a stream, or a datagram, without waiting. The
// error is io.EOF at a stream's end.
func readGuest(endpoint tcpip.Endpoint, buf []byte) (n int, blocked bool, err error) {
	writer := tcpip.SliceWriter(buf)
	result, stackErr := endpoint.Read(&writer, tcpip.ReadOptions{})
	switch stackErr.(type) {
	case nil:
		return result.Count, false, nil
	case *tcpip.ErrWouldBlock:
		return 0, true, nil
	case *tcpip.ErrClosedForReceive:
		return 0, false, io.EOF
	}
	return 0, false, stackError(stackErr)
}

// receiveFromHost waits for data from a host's socket and hands it to use: what
// is there of a stream, no data at its end, or a datagram. take and read are
// takeBuffer's and readStream, or takeDatagramBuffer and readDatagram.
func receiveFromHost(socket syscall.Conn, take func() transferBuffer, read func(fd int, buf []byte) (int, error), use func([]byte) error) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var buf transferBuffer
	var size int
	var readErr error
	err = raw.Read(func(fd uintptr) (ready bool) {
		buf = take()
		size, readErr = read(int(fd), buf.data)
		if readErr == nil {
			return true
		}
		buf.free()
		return !errors.Is(readErr, unix.EAGAIN)
	})
	if err := errors.Join(err, readErr); err != nil {
		return err
	}
	defer buf.free()
	return use(buf.data[:size])
}

// maxSegments is a whole number of the longest TCP segments to the guest that
// fit a buffer, in bytes: an odd rest would be a packet of its own each time.
const maxSegments = bufferSize / maxSegment * maxSegment

// maxSegment is the data in the longest packet, behind the headers of IP and
// TCP; the stack leaves room for all options. In bytes.
const maxSegment = agentapi.MTU - header.IPv4MinimumSize - header.TCPHeaderMaximumSize

// readStream reads all that is there and fits, but for a rest.
func readStream(fd int, buf []byte) (total int, err error) {
	for buf = buf[:min(len(buf), maxSegments)]; total < len(buf); {
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
