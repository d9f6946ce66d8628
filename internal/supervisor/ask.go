package supervisor

import (
	"context"
	"errors"
	"io"
	"time"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
)

// maxAnswer is more than the agent answers to what a supervisor asks it, in bytes.
const maxAnswer = 64 << 10

// ask opens a stream of a kind to the agent and returns what it answers. A guest may say
// anything, and may never answer.
func (a *agent) ask(within time.Duration, kind string, payload any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	stream, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Reset()
	stream.SetDeadline(time.Now().Add(within))
	if err := link.WriteHeader(stream, kind, payload); err != nil {
		return nil, err
	}
	channel := link.NewChannel(stream)
	answers := make(chan agentapi.Message, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- channel.Serve(func(m agentapi.Message) {
			select {
			case answers <- m:
				channel.End()
			default: // it has answered
			}
		})
	}()
	said, err := io.ReadAll(io.LimitReader(channel.Reader(link.Stdout), maxAnswer))
	if err != nil && !errors.Is(err, link.ErrEnded) {
		return nil, err
	}
	defer channel.Close()
	select {
	case answer := <-answers:
		if answer.Exit == nil {
			return nil, errors.New(clip(answer.Refused, maxReason))
		}
		return said, nil
	case err := <-ended:
		return nil, err
	}
}
