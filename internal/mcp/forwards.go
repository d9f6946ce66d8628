package mcp

import (
	"context"
	"fmt"
	"sync"
)

// maxForwards bounds the ports of the host that one session has opened.
const maxForwards = 16

// forwards are the ports of the host that lead to sandboxes. They end with ctx.
type forwards struct {
	ctx  context.Context
	mu   sync.Mutex
	open map[string]string // the target's address on the host, by sandbox and port
}

// to returns the address on the host that leads to a sandbox's port.
func (f *forwards) to(ctx context.Context, b box, port uint16) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	target := fmt.Sprintf("%s:%d", b.name(), port)
	if address := f.open[target]; address != "" {
		return address, nil
	}
	if len(f.open) >= maxForwards {
		return "", fmt.Errorf("%d ports lead to sandboxes, and no more are allowed", len(f.open))
	}
	opened, ended := make(chan string, 1), make(chan error, 1)
	held, cancel := context.WithCancel(f.ctx)
	go func() {
		defer cancel()
		err := b.forward(held, port, func(address string) { opened <- address })
		ended <- err
		f.drop(target)
	}()
	select {
	case address := <-opened:
		if f.open == nil {
			f.open = map[string]string{}
		}
		f.open[target] = address
		return address, nil
	case err := <-ended:
		return "", fmt.Errorf("forward %s: %w", target, err)
	case <-ctx.Done():
		cancel()
		return "", ctx.Err()
	}
}

func (f *forwards) drop(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, target)
}
