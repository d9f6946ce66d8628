package agent

import (
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/sync/errgroup"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
)

// ErrLost says that the guest went away before its program ended.
var ErrLost = errors.New("the connection to the guest was lost before its command ended")

// maxStatus is the highest status that a process can end with.
const maxStatus = 255

// call is what one stream of the link is for, from the header to the exit.
type call struct {
	*link.Channel
	status int   // once ended
	err    error // why there is none

	mu      sync.Mutex
	asked   int
	answers map[int]chan<- bool // by what was asked
}

// begin begins a call of a kind over conn.
func begin(conn net.Conn, kind string, payload any) (*call, error) {
	if err := link.WriteHeader(conn, kind, payload); err != nil {
		return nil, err
	}
	return &call{Channel: link.NewChannel(conn), err: ErrLost, answers: map[int]chan<- bool{}}, nil
}

// hear takes what the guest says.
func (c *call) hear(m agentapi.Message) {
	switch {
	case m.Answer != nil:
		c.answered(*m.Answer)
	case m.Refused != "":
		c.err = &GuestError{m.Refused}
		c.End()
	case m.Exit != nil:
		c.status, c.err = statusOf(*m.Exit), nil
		c.End()
	}
}

// statusOf is an exit status that a guest reports. Only 0 becomes 0, whatever a
// guest may send.
func statusOf(reported int) int {
	if reported < 0 || reported > maxStatus {
		return maxStatus
	}
	return reported
}

// transfer copies the streams until the program has ended and all that it
// wrote is here. Where that cannot be written, it hangs up.
func (c *call) transfer(streams Streams) (int, error) {
	go func() {
		if streams.Stdin != nil {
			io.Copy(c.Writer(link.Stdin), streams.Stdin)
		}
		c.Writer(link.Stdin).Close()
	}()
	var served sync.WaitGroup
	served.Go(func() { c.Serve(c.hear) })
	var outputs errgroup.Group
	output := func(to io.Writer, pipe int) {
		outputs.Go(func() error {
			_, err := io.Copy(to, c.Reader(pipe))
			if errors.Is(err, link.ErrEnded) {
				return nil // c.err says why
			}
			if err != nil {
				c.Close()
			}
			return err
		})
	}
	output(streams.Stdout, link.Stdout)
	output(streams.Stderr, link.Stderr)
	err := outputs.Wait()
	c.Close()
	served.Wait()
	if err != nil {
		return 0, err // which is why the exit was not heard of
	}
	return c.status, c.err
}

// ask asks the guest to pass a signal on, or with "" only whether it is there. The guest
// may never answer.
func (c *call) ask(signal string) <-chan bool {
	answer := make(chan bool, 1)
	c.mu.Lock()
	c.asked++
	number := c.asked
	c.answers[number] = answer
	c.mu.Unlock()
	go c.Send(agentapi.Message{Signal: signal, Ask: number})
	return answer
}

func (c *call) answered(a agentapi.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer, ok := c.answers[a.To]; ok {
		delete(c.answers, a.To)
		answer <- a.OK
	}
}
