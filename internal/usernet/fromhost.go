package usernet

import (
	"bytes"
	"errors"
	"io"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// copyFromHost copies until the host's side has nothing more to send.
func (s *stream) copyFromHost() error {
	blocked := make(chan error)
	for {
		if err := s.awaitSent(); err != nil {
			return err
		}
		go func() { blocked <- s.takeFromHost() }()
		if err := <-blocked; !errors.Is(err, errBlocked) {
			return ignoreEOF(err)
		}
	}
}

// awaitSent returns when the host's side has sent something, or has ended.
func (s *stream) awaitSent() error {
	return s.raw.Read(func(fd uintptr) bool { return isReady(fd, unix.POLLIN) })
}

// takeFromHost copies what the host's side has sent, until there is no more for now.
func (s *stream) takeFromHost() error {
	for last := 0; ; {
		buf := takeBuffer(last)
		n, err := s.readHost(buf.data)
		if err == nil {
			err = s.give(buf.data[:n])
		}
		buf.free()
		if err != nil {
			return err
		}
		last = n
		s.used(n)
		s.awaitGuest()
	}
}

// readHost reads what is there, without waiting. The error is io.EOF at the end.
func (s *stream) readHost(buf []byte) (n int, err error) {
	var readErr error
	err = s.raw.Read(func(fd uintptr) bool {
		n, readErr = readStream(int(fd), buf)
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(readErr, unix.EAGAIN):
		return 0, errBlocked
	case readErr == nil && n == 0:
		return 0, io.EOF
	}
	return n, readErr
}

// give returns when the guest's side has taken all.
func (s *stream) give(data []byte) error {
	for rest := bytes.NewReader(data); rest.Len() > 0; {
		switch _, err := s.endpoint.Write(rest, tcpip.WriteOptions{}); err.(type) {
		case nil:
		case *tcpip.ErrWouldBlock:
			s.awaitGuest()
		default:
			return stackError(err)
		}
	}
	return nil
}

// awaitGuest returns when the guest takes more, without a buffer in hand.
func (s *stream) awaitGuest() {
	if s.endpoint.Readiness(waiter.WritableEvents|waiter.EventHUp|waiter.EventErr) != 0 {
		return
	}
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventHUp | waiter.EventErr)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	for s.endpoint.Readiness(waiter.WritableEvents|waiter.EventHUp|waiter.EventErr) == 0 {
		<-ready
	}
}
