package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// trusted is a host that is spoken to by TLS, with a token.
type trusted struct{ address, token string }

// trust prints what comes of what proxies are known to spoil.
func trust(address, token string) error {
	t := trusted{address, token}
	for _, kind := range []struct {
		name string
		try  func() (string, error)
	}{
		{"http 1", func() (string, error) { return t.text(1, "/version") }},
		{"http 2", func() (string, error) { return t.text(2, "/version") }},
		{"events by http 1", func() (string, error) { return t.events(1) }},
		{"events by http 2", func() (string, error) { return t.events(2) }},
		{"compressed", t.compressed},
		{"websocket", func() (string, error) {
			conn, err := tls.Dial("tcp", address, nil)
			if err != nil {
				return "", err
			}
			return askSocket(conn, address, token)
		}},
	} {
		said, err := kind.try()
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		fmt.Printf("%s: %s\n", kind.name, said)
	}
	return nil
}

// get asks for a page.
func (t trusted) get(version int, path string) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodGet, "https://"+t.address+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+t.token)
	c := client(version)
	c.Timeout = 5 * time.Minute
	answer, err := c.Do(r)
	if err == nil && answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		err = fmt.Errorf("%s is answered by %s", path, answer.Status)
	}
	return answer, err
}

func (t trusted) text(version int, path string) (string, error) {
	answer, err := t.get(version, path)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	return string(said), err
}

// events hears one event, of which the server waits to hear before the second.
func (t trusted) events(version int) (string, error) {
	answer, err := t.get(version, "/events")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	first := make([]byte, len("data: one\n\n"))
	if _, err := io.ReadFull(answer.Body, first); err != nil {
		return "", err
	}
	if _, err := t.text(version, "/more"); err != nil {
		return "", err
	}
	rest, err := io.ReadAll(answer.Body)
	return strings.Join(strings.Fields(string(first)+string(rest)), " "), err
}

func (t trusted) compressed() (string, error) {
	answer, err := t.get(1, "/compressed")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if !bytes.Equal(said, compressed()) {
		return "", fmt.Errorf("%d other bytes: %w", len(said), err)
	}
	return "the same", err
}
