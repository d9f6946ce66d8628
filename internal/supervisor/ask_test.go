package supervisor

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
)

// linkedAgent is an agent whose guest answers what it is asked by reply.
func linkedAgent(t *testing.T, reply func(*link.Channel)) *agent {
	t.Helper()
	ours, theirs := net.Pipe()
	secret := []byte("secret")
	guest := make(chan *link.Link, 1)
	go func() {
		l, err := link.Offer(theirs, secret)
		if err != nil {
			t.Error(err)
		}
		guest <- l
	}()
	host, err := link.Accept(ours, secret, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	agentSide := <-guest
	t.Cleanup(func() { host.Close(); agentSide.Close() })
	go func() {
		stream, err := agentSide.Next()
		if err != nil {
			return
		}
		one := make([]byte, 1)
		for one[0] != '\n' { // the header
			if _, err := io.ReadFull(stream, one); err != nil {
				return
			}
		}
		reply(link.NewChannel(stream))
	}()
	a := newAgent(secret)
	a.link = host
	return a
}

func TestAsk(t *testing.T) {
	status := 0
	for what, tt := range map[string]struct {
		reply    func(*link.Channel)
		patience time.Duration
		said     string
		fails    bool
	}{
		"answers": {func(c *link.Channel) {
			go c.Serve(func(agentapi.Message) {})
			io.WriteString(c.Writer(link.Stdout), "said")
			c.Writer(link.Stdout).Close()
			time.Sleep(20 * time.Millisecond) // the end of what it says is not its end
			c.Send(agentapi.Message{Exit: &status})
			c.Send(agentapi.Message{Exit: &status})
		}, time.Minute, "said", false},
		"says nothing": {func(c *link.Channel) { c.Send(agentapi.Message{Exit: &status}) }, time.Minute, "", false},
		"refuses":      {func(c *link.Channel) { c.Send(agentapi.Message{Refused: "no"}) }, time.Minute, "", true},
		"hangs up":     {func(c *link.Channel) { c.Close() }, time.Minute, "", true},
		"is silent":    {func(*link.Channel) {}, 100 * time.Millisecond, "", true},
		"floods": {func(c *link.Channel) {
			go c.Serve(func(agentapi.Message) {})
			io.Copy(c.Writer(link.Stdout), strings.NewReader(strings.Repeat("x", 4*maxAnswer)))
		}, 100 * time.Millisecond, "", true},
	} {
		said, err := linkedAgent(t, tt.reply).ask(tt.patience, agentapi.StreamStats, nil)
		if string(said) != tt.said || (err != nil) != tt.fails {
			t.Errorf("one who %s: got %d bytes, %v", what, len(said), err)
		}
	}
}
