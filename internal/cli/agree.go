package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"banger/internal/engine"
)

// agree returns how the user is asked, who may have said yes before. Off a
// terminal nobody is.
func (a *app) agree(yes bool) engine.Agree {
	switch {
	case yes:
		return func(context.Context, engine.FirstImage) error { return nil }
	case a.In == nil || !term.IsTerminal(int(a.In.Fd())):
		return nil
	}
	return a.ask
}

func (a *app) ask(ctx context.Context, image engine.FirstImage) error {
	fmt.Fprintf(a.Err, "There is no image %s yet. It can be made from Debian's own archive, by mmdebstrap, and its kernel\n"+
		"taken from your distribution's, by apt: together about 200 MB to download and a minute or two.\n"+
		"Go on? [Y/n] ", image.Name)
	switch answer, err := a.answer(ctx); {
	case err != nil:
		return err
	case answer == "" || answer == "y" || answer == "yes":
		return nil
	}
	return errors.New("nothing was made")
}

// confirm asks for a yes on a terminal; who calls from a script means it.
func (a *app) confirm(ctx context.Context, question string) error {
	if a.In == nil || !term.IsTerminal(int(a.In.Fd())) {
		return nil
	}
	return a.yes(ctx, question, "nothing was removed")
}

// yes asks for a yes. otherwise is the error of all other answers.
func (a *app) yes(ctx context.Context, question, otherwise string) error {
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	switch answer, err := a.answer(ctx); {
	case err != nil:
		return err
	case answer == "y" || answer == "yes":
		return nil
	}
	return errors.New(otherwise)
}

// answer reads a line from the user; the input's end is a no.
func (a *app) answer(ctx context.Context) (string, error) {
	answered := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(a.In).ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			line = "n"
		}
		answered <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answered:
		return answer, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
