package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
	"banger/internal/ref"
)

// provideImage makes sure that the configured image is there: a user's first
// VM has to come from somewhere. Images that the user names are never made.
func (a *app) provideImage(ctx context.Context, yes bool) error {
	name := a.config.Image
	_, err := a.images.Get(name)
	if !errors.As(err, new(*imagemgr.NotFoundError)) {
		return err
	}
	if offer, err := a.findImage(ctx, name); err == nil {
		return a.pullCatalogImage(ctx, offer, name, "")
	}
	suite, isDebian := strings.CutPrefix(name, "debian-")
	if !isDebian {
		return err
	}
	question := fmt.Sprintf("There is no image %s yet. It can be made from Debian's own archive, by mmdebstrap, and its kernel\n"+
		"taken from your distribution's, by apt: together about 200 MB to download and a minute or two.", name)
	if err := a.agree(ctx, question, yes); err != nil {
		return err
	}
	kernelName, err := a.provideKernel(ctx)
	if err != nil {
		return err
	}
	p := a.newProgress()
	defer p.end()
	_, err = a.images.Pull(ctx, imagemgr.PullOptions{
		Source: ref.Source{Transport: ref.Mmdebstrap, Rest: suite},
		Name:   name, KernelRef: kernelName, Progress: p.report,
	})
	return err
}

// provideKernel returns the kernel for an image that is made here: one that is
// there already, or the distribution's.
func (a *app) provideKernel(ctx context.Context) (string, error) {
	kernels, err := a.kernels.List()
	if err != nil {
		return "", err
	}
	if len(kernels) > 0 || a.config.Kernel != "" {
		return a.chooseKernel("")
	}
	k, err := a.kernels.PullApt(ctx, kernel.AptOptions{
		Package: kernel.DefaultPackage(), Dir: a.dirs.AptDir(),
		Say: func(text string) { a.say("%s", text) },
	})
	return k.Name, err
}

// agree asks the user, who may have said yes before. Off a terminal nobody is
// asked, and nothing goes on.
func (a *app) agree(ctx context.Context, question string, yes bool) error {
	if yes {
		return nil
	}
	if a.In == nil || !term.IsTerminal(int(a.In.Fd())) {
		question, _, _ = strings.Cut(question, ". ")
		return withHint(errors.New(strings.ToLower(question[:1])+question[1:]), "--yes has banger make one; banger image pull gets others")
	}
	fmt.Fprintf(a.Err, "%s\nGo on? [Y/n] ", question)
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
		if answer == "" || answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("nothing was made")
	case <-ctx.Done():
		return ctx.Err()
	}
}
