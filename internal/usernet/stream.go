package usernet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/waiter"
)

// stream is a TCP connection of the guest's and the one outside that it is
// joined to.
//
// There may be thousands that are idle. So only what the host's side may send is
// waited for by a goroutine; what the guest sends starts one. And nobody holds a
// buffer who waits.
type stream struct {
	endpoint tcpip.Endpoint
	queue    *waiter.Queue
	inside   net.Conn // endpoint
	outside  *net.TCPConn
	grant    *grant

	opening *opening    // what the guest sends is held by; nil once it is not
	answer  *hostAnswer // that opening waits for; nil is none
	held    int         // bytes, that are counted for it
	plain   *plain      // looks at what the guest sends; nil is not at all
	late    *time.Timer

	window  sync.Mutex  // guards grant's
	busy    atomic.Bool // a goroutine carries what the guest sends
	last    int         // bytes that it carried at once
	outward chan struct{}
	abort   func()

	diverted atomic.Pointer[divertedError] // where it is to go, in place of outside
}

// join carries bytes both ways until both sides have ended, or one has broken:
// then the other is broken too.
func (n *Network) join(endpoint tcpip.Endpoint, queue *waiter.Queue, outside *net.TCPConn, grant *grant, first *opening) {
	s := &stream{
		endpoint: endpoint, queue: queue, inside: gonet.NewTCPConn(queue, endpoint),
		outside: outside, grant: grant, opening: first, outward: make(chan struct{}),
	}
	if first != nil {
		s.answer = first.answer
	}
	s.setWindow()
	s.abort = sync.OnceFunc(func() {
		endpoint.Abort()
		outside.SetLinger(0)
		outside.Close()
	})
	defer context.AfterFunc(n.ctx, s.abort)()
	entry := waiter.NewFunctionEntry(waiter.ReadableEvents|waiter.EventHUp|waiter.EventErr, func(waiter.EventMask) { s.wake() })
	queue.EventRegister(&entry)
	s.wake() // for what came before
	switch err := s.copyFromHost(); {
	case s.diverted.Load() != nil:
	case err != nil:
		s.abort()
	default:
		s.inside.(*gonet.TCPConn).CloseWrite()
	}
	<-s.outward
	queue.EventUnregister(&entry)
	if to := s.diverted.Load(); to != nil {
		n.serveEdge(s, to)
	}
	n.bury(endpoint, queue)
}

// wake has what the guest sends carried, unless somebody does that already.
func (s *stream) wake() {
	if s.busy.CompareAndSwap(false, true) {
		go s.carry()
	}
}

// carry copies what the guest has sent, until there is no more for now.
func (s *stream) carry() {
	for {
		err := s.copyFromGuest()
		if !errors.Is(err, errBlocked) {
			s.ended(err)
			s.releaseOpening()
			close(s.outward) // busy stays, nobody comes again
			return
		}
		s.busy.Store(false)
		if s.endpoint.Readiness(waiter.ReadableEvents|waiter.EventHUp|waiter.EventErr) == 0 || !s.busy.CompareAndSwap(false, true) {
			return
		}
	}
}

// ended does what the end of what the guest sends means for the host's side.
func (s *stream) ended(err error) {
	switch to, ok := errors.AsType[*divertedError](err); {
	case ok:
		s.diverted.Store(to)
		s.outside.SetReadDeadline(time.Unix(1, 0)) // ends copyFromHost
	case err != nil && !errors.Is(err, io.EOF):
		s.abort()
	default:
		s.outside.CloseWrite()
	}
}

// errBlocked says that the guest has sent no more for now.
var errBlocked = errors.New("blocked")

// copyFromGuest copies until the guest has nothing more to send.
func (s *stream) copyFromGuest() error {
	for {
		rest := s.opening != nil && s.opening.rest
		if !rest && s.endpoint.Readiness(waiter.ReadableEvents|waiter.EventHUp|waiter.EventErr) == 0 {
			return errBlocked
		}
		if err := s.awaitAnswer(); err != nil {
			return err
		}
		if err := s.awaitHost(); err != nil {
			return err
		}
		if rest {
			if err := s.pass(nil); err != nil {
				return err
			}
			continue
		}
		buf := takeBuffer(s.last)
		n, blocked, err := readGuest(s.endpoint, buf.data)
		if err == nil && !blocked {
			err = s.pass(buf.data[:n])
		}
		buf.free()
		switch {
		case blocked:
			return errBlocked
		case err != nil:
			return err
		}
		s.last = n
		s.used(n)
	}
}

// copyFromHost copies until the host's side has nothing more to send.
func (s *stream) copyFromHost() error {
	defer s.answer.end(false)
	last := 0
	take := func() transferBuffer { return takeBuffer(last) }
	for {
		err := receiveFromHost(s.outside, take, readStream, func(data []byte) error {
			if last = len(data); last == 0 {
				return io.EOF
			}
			s.answer.add(data)
			_, err := s.inside.Write(data)
			s.used(last)
			return err
		})
		if err == nil {
			err = s.awaitGuest()
		}
		if err != nil {
			return ignoreEOF(err)
		}
	}
}

// awaitGuest returns when the guest takes more, without a buffer in hand.
func (s *stream) awaitGuest() error {
	if s.endpoint.Readiness(waiter.WritableEvents|waiter.EventHUp|waiter.EventErr) != 0 {
		return nil
	}
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventHUp | waiter.EventErr)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	for s.endpoint.Readiness(waiter.WritableEvents|waiter.EventHUp|waiter.EventErr) == 0 {
		<-ready
	}
	return nil
}

// used notes that n bytes went at once: a window that is used up may grow.
func (s *stream) used(n int) {
	s.window.Lock()
	defer s.window.Unlock()
	if n >= min(s.grant.window, bufferSize)/2 && s.grant.grow() {
		s.setWindow()
	}
}

func (s *stream) setWindow() {
	s.endpoint.SocketOptions().SetReceiveBufferSize(int64(s.grant.fromGuest()), true)
	s.endpoint.SocketOptions().SetSendBufferSize(int64(s.grant.window), true)
}

// errNoRoom ends a connection whose host does not read, where too much is kept
// for others already.
var errNoRoom = errors.New("too much waits to be read")

// awaitHost returns when the host's side takes more. What the guest has sent
// meanwhile is counted.
func (s *stream) awaitHost() error {
	raw, err := s.outside.SyscallConn()
	if err != nil {
		return err
	}
	held, refused := 0, false
	err = raw.Write(func(fd uintptr) bool {
		if isWritable(fd) {
			return true
		}
		if held == 0 {
			var ok bool
			held, ok = s.hold()
			refused = !ok
		}
		return refused
	})
	if held > 0 {
		s.grant.unhold(held)
	}
	if refused {
		return errNoRoom
	}
	return err
}

func (s *stream) hold() (int, bool) {
	s.window.Lock()
	defer s.window.Unlock()
	return s.grant.hold()
}

func isWritable(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(poll, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
