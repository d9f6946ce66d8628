package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/fetch"
)

// maxWaits is how often one request waits because the registry asks for it.
const maxWaits = 3

func newPolicy(repo name.Repository, o Options) (*policy, error) {
	carrier := fetch.NewTransport()
	carrier.Say = o.Say
	if err := equip(carrier, repo.RegistryStr()); err != nil {
		return nil, fmt.Errorf("read the certificates for %s: %w", Title(repo), err)
	}
	sleep := o.Sleep
	if sleep == nil {
		sleep = fetch.Sleep
	}
	return &policy{repo: repo, insecure: o.Insecure, next: carrier, sleep: sleep, say: o.Say}, nil
}

// policy is the transport to a registry. Every request passes here, redirected
// ones and those for tokens too.
//
// Plain http goes to loopback addresses, and to the registry itself where the
// user has said so. What the registry says of where to get a token leads no
// further than a redirect would. A registry that asks for fewer requests is
// given the time that it wants, within bounds.
type policy struct {
	repo     name.Repository
	insecure bool
	next     http.RoundTripper
	sleep    func(context.Context, time.Duration) error
	say      func(string) // or nil
}

func (p *policy) RoundTrip(req *http.Request) (*http.Response, error) {
	own := req.URL.Host == p.repo.RegistryStr()
	if err := fetch.CheckURL(req.URL.String(), own && p.insecure); err != nil {
		if own {
			return nil, &PlainHTTPError{Registry: Title(p.repo)}
		}
		return nil, err
	}
	if !own {
		server := &url.URL{Scheme: p.repo.Scheme(), Host: p.repo.RegistryStr()}
		req = req.WithContext(fetch.LedBy(req.Context(), server))
	}
	for waits := 0; ; waits++ {
		resp, err := p.next.RoundTrip(req)
		if err != nil {
			return resp, err
		}
		after := fetch.RetryAfter(resp.Header)
		mayWait := after > 0 && after <= fetch.MaxRetryAfter && waits < maxWaits
		switch {
		case resp.StatusCode == http.StatusServiceUnavailable && mayWait:
		case resp.StatusCode != http.StatusTooManyRequests:
			return resp, nil
		case !mayWait:
			resp.Body.Close()
			return nil, &RateLimitError{Title(p.repo), after}
		}
		io.CopyN(io.Discard, resp.Body, 4096) // so that the connection is used again
		resp.Body.Close()
		if p.say != nil {
			p.say("waiting " + after.String() + ", as " + Title(p.repo) + " asks")
		}
		if err := p.sleep(req.Context(), after); err != nil {
			return nil, err
		}
	}
}
