package share

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"runtime/debug"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"
)

const (
	// underWay bounds the messages that are worked on, with their answers, in bytes.
	underWay = 24 << 20
	// atOnce bounds their number: it is what one counts for at the least.
	atOnce    = 96
	leastCost = underWay / atOnce
	// background is how much the kernel may ask for of its own accord.
	background = 64
)

// stream answers the messages of one connection.
type stream struct {
	conn    io.ReadWriter
	share   *share
	server  *fuse.ProtocolServer
	room    *semaphore.Weighted
	work    sync.WaitGroup
	answers answers
	begun   bool // by the kernel's first message

	writing sync.Mutex
}

func newStream(conn io.ReadWriter, s *share) *stream {
	quiet := log.New(io.Discard, "", 0) // a guest could fill any other
	return &stream{
		conn: conn, share: s, room: semaphore.NewWeighted(underWay), answers: answers{now: new(sync.WaitGroup)},
		server: fuse.NewProtocolServer(s, &fuse.MountOptions{
			MaxWrite: maxData, MaxBackground: background, Logger: quiet, EnableSymlinkCaching: true,
			// The kernel asks for nothing before each write, since no file here has what a write would take away.
			ExtraCapabilities:    fuse.CAP_HANDLE_KILLPRIV_V2 | fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_ASYNC_DIO | fuse.CAP_READDIRPLUS_AUTO,
			DisabledCapabilities: fuse.CAP_PASSTHROUGH | fuse.CAP_NO_OPEN_SUPPORT,
			PanicHandler: func(reason any) fuse.Status {
				s.Log.Printf("a message of the guest's met a fault: %v\n%s", reason, debug.Stack())
				return fuse.EIO
			},
		}),
	}
}

// serve answers until the stream ends, which is no error between two messages.
func (s *stream) serve() error {
	defer s.work.Wait()
	defer s.hearNews()()
	in := bufio.NewReaderSize(s.conn, 64<<10)
	for {
		m, err := readMessage(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the guest's messages: %w", err)
		}
		if err := s.take(m); err != nil {
			return fmt.Errorf("answer the guest: %w", err)
		}
	}
}

// hearNews tells the guest of what others change, until the result is called.
func (s *stream) hearNews() (end func()) {
	if s.share.watch == nil {
		return func() {}
	}
	ended := make(chan struct{})
	s.work.Go(func() { s.share.watch.listen(s.share.news.hear, s.share.news.lose) })
	s.work.Go(func() { s.tellNews(ended) })
	return func() {
		close(ended)
		s.share.watch.close()
	}
}

// readMessage reads the next message. Where its length is none, nothing tells where
// the one after that begins.
func readMessage(in *bufio.Reader) (message, error) {
	head, err := in.Peek(4)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head)
	if size < headSize || size > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	m := buffers.get(int(size))
	if _, err := io.ReadFull(in, m); err != nil {
		return nil, fmt.Errorf("a message that is cut short: %w", err)
	}
	return m, nil
}

// take answers one message, or has it answered.
func (s *stream) take(m message) error {
	room, errno := m.vet()
	// The first is to settle what the others mean, and nothing changes that later.
	if first := m.op() == opInit; errno == 0 && first == s.begun {
		errno = unix.EINVAL
	}
	if errno != 0 {
		defer buffers.put(m)
		if m.silent() {
			return nil
		}
		return s.refuse(m, errno)
	}
	if !s.begun || m.silent() { // in order
		s.begun = true
		return s.answer(m, room)
	}
	cost := max(int64(len(m)+room), leastCost)
	if err := s.room.Acquire(context.Background(), cost); err != nil {
		return err
	}
	s.work.Go(func() {
		defer s.room.Release(cost)
		s.answer(m, room) // where that fails, so does the reading
	})
	return nil
}

// answer carries out what a message asks for, and replies.
func (s *stream) answer(m message, room int) error {
	defer buffers.put(m)
	if m.tells() {
		defer s.answers.begin()()
	}
	out := buffers.get(room)
	defer buffers.put(out)
	n, status := s.server.HandleRequest([][]byte{m}, [][]byte{out})
	if m.silent() {
		return nil
	}
	if !status.Ok() || n < replySize {
		return s.refuse(m, unix.EIO)
	}
	return s.write(out[:n])
}

func (s *stream) refuse(m message, errno unix.Errno) error {
	out := make([]byte, 0, replySize)
	out = binary.LittleEndian.AppendUint32(out, replySize)
	out = binary.LittleEndian.AppendUint32(out, uint32(-int32(errno)))
	return s.write(binary.LittleEndian.AppendUint64(out, m.unique()))
}

func (s *stream) write(out []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err := s.conn.Write(out)
	return err
}
