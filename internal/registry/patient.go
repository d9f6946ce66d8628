package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// attempts is how often a request is made that a server cannot answer now.
	attempts = 4
	// firstPause is before the second; each further one is twice as long.
	firstPause = time.Second
)

// patient makes requests without a body again that a server, or what stands
// before it, could not answer for the moment, and did not say how long.
type patient struct {
	next  http.RoundTripper
	sleep func(context.Context, time.Duration) error
	say   func(string) // or nil
}

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	for n := 0; ; n++ {
		resp, err := p.next.RoundTrip(req)
		limit, limited := errors.AsType[*RateLimitError](err)
		again := limited && limit.After == 0 || err == nil && mayPass(resp.StatusCode)
		if !again || n == attempts-1 || req.Body != nil && req.Body != http.NoBody {
			return resp, err
		}
		why := "the limit of requests is reached"
		if err == nil {
			why = fmt.Sprintf("%s answers %d", req.URL.Host, resp.StatusCode)
			io.CopyN(io.Discard, resp.Body, 4096) // so that the connection is used again
			resp.Body.Close()
		}
		if p.say != nil {
			p.say(fmt.Sprintf("%s: trying again in %s", why, firstPause<<n))
		}
		if err := p.sleep(req.Context(), firstPause<<n); err != nil {
			return nil, err
		}
	}
}

// mayPass reports whether a status is one of the moment.
func mayPass(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
