package registry

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// credentials finds what docker or podman has for a repository. Where that
// cannot be read, as with a helper that is not installed here, it tells warn so
// and goes on without: most images need none.
func credentials(ctx context.Context, repo name.Repository, warn func(error)) (authn.AuthConfig, error) {
	type found struct {
		auth *authn.AuthConfig
		err  error
	}
	resolved := make(chan found, 1)
	go func() { // a helper is a program that may hang
		var f found
		var auth authn.Authenticator
		if auth, f.err = authn.Resolve(ctx, authn.DefaultKeychain, repo); f.err == nil {
			f.auth, f.err = authn.Authorization(ctx, auth)
		}
		resolved <- f
	}()
	select {
	case f := <-resolved:
		if f.err == nil {
			return *f.auth, nil
		}
		if warn != nil {
			warn(fmt.Errorf("read the credentials for %s: %w: going on without", Title(repo), f.err))
		}
		return authn.AuthConfig{}, nil
	case <-ctx.Done():
		return authn.AuthConfig{}, ctx.Err()
	}
}
