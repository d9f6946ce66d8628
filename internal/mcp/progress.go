package mcp

import (
	"context"
	"strings"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds on what is told of a call while it goes on.
const (
	tellEvery = 500 * time.Millisecond
	maxTold   = 200
)

// teller returns what tells a client, where it asked for that, what its call is at.
func teller(ctx context.Context, r *sdk.CallToolRequest) func(string) {
	token := r.Params.GetProgressToken()
	if token == nil {
		return func(string) {}
	}
	var mu sync.Mutex
	var step float64
	return func(text string) {
		mu.Lock()
		defer mu.Unlock()
		step++
		r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
			ProgressToken: token, Progress: step, Message: clean(text[:min(len(text), maxTold)]),
		})
	}
}

// lastLines tells, now and then, the last line of what is written to it.
type lastLines struct {
	tell func(string)
	mu   sync.Mutex
	told time.Time
}

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.told) < tellEvery {
		return len(p), nil
	}
	text := strings.TrimRight(string(p[max(0, len(p)-maxTold):]), "\r\n")
	if text = text[strings.LastIndexByte(text, '\n')+1:]; text != "" {
		l.told = time.Now()
		l.tell(text)
	}
	return len(p), nil
}
