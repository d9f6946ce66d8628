package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// maxToken is how many bytes the answer with a token may have.
const maxToken = 256 << 10

// basic is the header that has a user's name and password.
func basic(auth authn.AuthConfig) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(auth.Username+":"+auth.Password))
}

// token gets a token from where a challenge says that there are some. Where the
// server does not take the user's credentials, and nothing is to be written, it
// may give one to anybody.
func (l *login) token(ctx context.Context, c challenge, auth authn.AuthConfig) (string, error) {
	if auth.RegistryToken != "" {
		return auth.RegistryToken, nil
	}
	token, err := l.tokenFor(ctx, c, auth)
	if errors.As(err, new(*AccessError)) && auth != (authn.AuthConfig{}) && !l.push {
		if l.warn != nil {
			l.warn(fmt.Errorf("%s does not take the credentials that are stored for it: going on without", Title(l.repo)))
		}
		return l.tokenFor(ctx, c, authn.AuthConfig{})
	}
	return token, err
}

func (l *login) tokenFor(ctx context.Context, c challenge, auth authn.AuthConfig) (string, error) {
	if auth.IdentityToken != "" {
		token, err := l.askForToken(l.refreshing(ctx, c, auth))
		status, ok := errors.AsType[*StatusError](err)
		if !ok || status.Code != http.StatusNotFound && status.Code != http.StatusMethodNotAllowed {
			return token, err
		}
	}
	return l.askForToken(l.asking(ctx, c, auth))
}

// scopes are what a token has to be good for: what the server wants, before all.
func (l *login) scopes(c challenge) []string {
	scopes := strings.Fields(c.params["scope"])
	if !slices.Contains(scopes, l.scope) {
		scopes = append(scopes, l.scope)
	}
	return scopes
}

// asking is the request for a token as the distribution specification has it.
func (l *login) asking(ctx context.Context, c challenge, auth authn.AuthConfig) (*http.Request, error) {
	u, err := url.Parse(c.params["realm"])
	if err != nil {
		return nil, err
	}
	query := u.Query()
	query["scope"] = l.scopes(c)
	if service := c.params["service"]; service != "" {
		query.Set("service", service)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err == nil && auth.Username != "" {
		req.Header.Set("Authorization", basic(auth))
	}
	return req, err
}

// refreshing is the request for one in exchange for an identity token, as OAuth
// has it.
func (l *login) refreshing(ctx context.Context, c challenge, auth authn.AuthConfig) (*http.Request, error) {
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {auth.IdentityToken}, "client_id": {"banger"},
		"service": {c.params["service"]}, "scope": {strings.Join(l.scopes(c), " ")},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.params["realm"], strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

func (l *login) askForToken(req *http.Request, err error) (string, error) {
	if err != nil {
		return "", fmt.Errorf("%s names no place to get a token from", Title(l.repo))
	}
	client := &http.Client{Transport: l.tokens}
	if req.Method == http.MethodPost { // which has the identity token in it
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", statusFault(l.repo, resp.StatusCode)
	}
	var given struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return "", err
	}
	if json.Unmarshal(data, &given) != nil || given.Token+given.AccessToken == "" {
		return "", fmt.Errorf("%s gives no token", req.URL.Host)
	}
	if given.AccessToken != "" {
		return given.AccessToken, nil
	}
	return given.Token, nil
}
