package cli

import (
	"context"
	"fmt"

	"golang.org/x/term"
)

// askSecret returns how the user is asked for a secret, whose echo is off. Off a
// terminal nobody is.
func (a *app) askSecret() func(context.Context, string, string) (string, error) {
	if a.In == nil || !term.IsTerminal(int(a.In.Fd())) {
		return nil
	}
	return func(ctx context.Context, vm, name string) (string, error) {
		fd := int(a.In.Fd())
		before, err := term.GetState(fd)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(a.Err, "%s for vm %s: ", name, vm)
		type answer struct {
			text []byte
			err  error
		}
		answered := make(chan answer, 1)
		go func() {
			text, err := term.ReadPassword(fd)
			answered <- answer{text, err}
		}()
		defer fmt.Fprintln(a.Err)
		select {
		case got := <-answered:
			return string(got.text), got.err
		case <-ctx.Done():
			term.Restore(fd, before)
			return "", ctx.Err()
		}
	}
}
