package link

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"banger/internal/agentapi"
)

// The streams of a program.
const (
	Stdin = iota
	Stdout
	Stderr
	pipes
)

// A frame is a byte that says what it is, four with its length, the high one
// first, and as many more. The first kinds are a pipe's bytes, of which none are
// its end.
const (
	frameCredit  = pipes + iota // a pipe, a byte, and how much more of it may come, four
	frameMessage                // an agentapi.Message as JSON

	frameHead  = 5
	maxData    = 32 << 10 // bytes of a pipe in a frame
	maxMessage = 4 << 10
)

// window is how many bytes of a pipe may come that nobody has read.
const window = 256 << 10

// Channel carries a program's streams, and messages about it, over one stream of
// a link. Each of them goes on while nobody reads the others.
type Channel struct {
	conn io.ReadWriteCloser
	in   [pipes]*inbound
	out  [pipes]*outbound

	mu sync.Mutex // of writing
}

// NewChannel makes a channel of a stream whose header has passed. It carries
// nothing before Serve.
func NewChannel(conn io.ReadWriteCloser) *Channel {
	c := &Channel{conn: conn}
	for i := range c.in {
		c.in[i], c.out[i] = newInbound(c, byte(i)), newOutbound(c, byte(i))
	}
	return c
}

// ErrEnded says that a channel ended, and with it a pipe that was not ended before.
var ErrEnded = errors.New("the channel ended")

// Reader has what comes of a pipe. It ends with io.EOF where the other side ended
// the pipe, and else with ErrEnded, which says why.
func (c *Channel) Reader(pipe int) io.Reader { return c.in[pipe] }

// Writer takes what goes into a pipe. Closing it ends the pipe.
func (c *Channel) Writer(pipe int) io.WriteCloser { return c.out[pipe] }

// End ends what comes, as if the other side had ended each pipe.
func (c *Channel) End() {
	for _, in := range c.in {
		in.end(io.EOF)
	}
}

// Close ends the channel.
func (c *Channel) Close() error { return c.conn.Close() }

// Send sends a message.
func (c *Channel) Send(m agentapi.Message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(text) > maxMessage {
		return errors.New("a message is too long")
	}
	return c.write(frameMessage, text)
}

func (c *Channel) write(kind byte, payload []byte) error {
	frame := make([]byte, frameHead, frameHead+len(payload))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	frame = append(frame, payload...)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(frame)
	return err
}

func (c *Channel) credit(pipe byte, n int) error {
	return c.write(frameCredit, binary.BigEndian.AppendUint32([]byte{pipe}, uint32(n)))
}

// Serve takes what the other side sends until the channel ends, and gives
// messages to hear, which must not wait for anything that comes later. It returns
// why the channel ended, which is io.EOF where the other side closed it.
func (c *Channel) Serve(hear func(agentapi.Message)) error {
	err := c.serve(hear)
	cause := endedError{err}
	for i := range c.in {
		c.in[i].end(cause)
		c.out[i].end(cause)
	}
	return err
}

// endedError is ErrEnded by another error, but no io.EOF.
type endedError struct{ cause error }

func (e endedError) Error() string        { return fmt.Sprintf("%v: %v", ErrEnded, e.cause) }
func (e endedError) Is(target error) bool { return target == ErrEnded }

func (c *Channel) serve(hear func(agentapi.Message)) error {
	var head [frameHead]byte
	payload := make([]byte, maxData)
	for {
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(head[1:])
		if size > maxData {
			return fmt.Errorf("a frame of %d bytes", size)
		}
		if _, err := io.ReadFull(c.conn, payload[:size]); err != nil {
			return err
		}
		if err := c.take(head[0], payload[:size], hear); err != nil {
			return err
		}
	}
}

func (c *Channel) take(kind byte, payload []byte, hear func(agentapi.Message)) error {
	switch {
	case kind < pipes && len(payload) == 0:
		c.in[kind].end(io.EOF)
		return nil
	case kind < pipes:
		return c.in[kind].add(payload)
	case kind == frameCredit && len(payload) == 5 && payload[0] < pipes:
		return c.out[payload[0]].more(binary.BigEndian.Uint32(payload[1:]))
	case kind == frameMessage && len(payload) <= maxMessage:
		var m agentapi.Message
		if err := json.Unmarshal(payload, &m); err != nil {
			return fmt.Errorf("read a message: %w", err)
		}
		hear(m)
		return nil
	}
	return fmt.Errorf("a frame of an unknown kind, %d", kind)
}
