package link

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// inbound is what has come of a pipe and was not read yet.
type inbound struct {
	channel *Channel
	pipe    byte

	mu      sync.Mutex
	changed sync.Cond
	data    bytes.Buffer
	read    int   // bytes that the other side does not know to be read
	err     error // what comes after the data
}

func newInbound(c *Channel, pipe byte) *inbound {
	in := &inbound{channel: c, pipe: pipe}
	in.changed.L = &in.mu
	return in
}

var errFlooded = errors.New("the other side sends more than it may")

func (in *inbound) add(p []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil || in.data.Len()+in.read+len(p) > window {
		return errFlooded
	}
	in.data.Write(p)
	in.changed.Signal()
	return nil
}

// end ends the pipe, if nothing did before.
func (in *inbound) end(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = err
		in.changed.Broadcast()
	}
}

func (in *inbound) Read(p []byte) (int, error) {
	n, credit, err := in.next(p)
	if credit > 0 {
		in.channel.credit(in.pipe, credit) // where that fails, the channel ends
	}
	return n, err
}

func (in *inbound) next(p []byte) (n, credit int, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.data.Len() == 0 && in.err == nil {
		in.changed.Wait()
	}
	if in.data.Len() == 0 {
		return 0, 0, in.err
	}
	n, _ = in.data.Read(p)
	in.read += n
	if in.read >= window/2 && in.err == nil {
		credit, in.read = in.read, 0
	}
	return n, credit, nil
}

// outbound is a pipe to the other side.
type outbound struct {
	channel *Channel
	pipe    byte

	mu      sync.Mutex
	changed sync.Cond
	room    int // bytes that the other side can take
	err     error
}

func newOutbound(c *Channel, pipe byte) *outbound {
	out := &outbound{channel: c, pipe: pipe, room: window}
	out.changed.L = &out.mu
	return out
}

// more makes room for n bytes.
func (out *outbound) more(n uint32) error {
	out.mu.Lock()
	defer out.mu.Unlock()
	if int64(out.room)+int64(n) > window {
		return errors.New("the other side makes more room than there is")
	}
	out.room += int(n)
	out.changed.Signal()
	return nil
}

// end ends the pipe and reports whether nothing did before.
func (out *outbound) end(err error) bool {
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.err != nil {
		return false
	}
	out.err = err
	out.changed.Broadcast()
	return true
}

// take waits for room and takes as much of it as wanted, or less.
func (out *outbound) take(wanted int) (int, error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	for out.room == 0 && out.err == nil {
		out.changed.Wait()
	}
	if out.err != nil {
		return 0, out.err
	}
	n := min(wanted, out.room, maxData)
	out.room -= n
	return n, nil
}

func (out *outbound) Write(p []byte) (written int, err error) {
	for written < len(p) {
		n, err := out.take(len(p) - written)
		if err != nil {
			return written, err
		}
		if err := out.channel.write(out.pipe, p[written:written+n]); err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// Close ends the pipe.
func (out *outbound) Close() error {
	if !out.end(io.ErrClosedPipe) {
		return nil
	}
	return out.channel.write(out.pipe, nil)
}
