package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"banger/internal/imagemgr"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// imageFor returns the name of the image that is asked for, by its name or by a reference
// to where it comes from. A reference is pulled once, and leads to that image from then on.
func (e *Engine) imageFor(ctx context.Context, asked, kernel string, events Events) (string, error) {
	if isName(asked) {
		return asked, nil
	}
	source, err := ref.ParseSource(asked)
	if err == nil {
		source, err = whole(source)
	}
	if err != nil {
		return "", err
	}
	name, err := e.nameFor(source)
	if err != nil {
		return "", err
	}
	_, err = e.images.Get(name)
	if !errors.As(err, new(*imagemgr.NotFoundError)) {
		return name, err
	}
	events.stage("getting " + asked)
	_, err = e.PullImage(ctx, PullImageOptions{Reference: source.String(), Name: name, KernelRef: kernel, Events: events})
	if errors.Is(err, statedir.ErrExist) {
		return name, nil // another run got it meanwhile
	}
	return name, err
}

// isName reports whether an image is asked for by its name. Errors in the text are left to
// the lookup.
func isName(asked string) bool {
	source, err := ref.ParseSource(asked)
	return err != nil || source.Transport == ref.Catalog
}

// whole makes a source's path absolute, so that it means the same from every directory.
func whole(s ref.Source) (ref.Source, error) {
	switch s.Transport {
	case ref.Apt:
		return s, errors.New("apt: is for kernels")
	case ref.Tar, ref.OCI, ref.OCIArchive, ref.DockerArchive, ref.Dir:
		if s.Rest == "-" {
			return s, errors.New("an image on standard input has no name to come back to: banger image pull - --name NAME")
		}
		path, err := filepath.Abs(s.Rest)
		s.Rest = path
		return s, err
	}
	return s, nil
}

// nameFor is the name of a source's image: what a pull would call it, or if an image from
// elsewhere has that name, a longer one.
func (e *Engine) nameFor(source ref.Source) (string, error) {
	name, err := imageName(source)
	if err != nil {
		return "", err
	}
	there, err := e.images.Get(name)
	if errors.As(err, new(*imagemgr.NotFoundError)) || err == nil && there.Source == source.String() {
		return name, nil
	}
	return fmt.Sprintf("%.40s-%s", name, digestOf(source.String())), nil
}
