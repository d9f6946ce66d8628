// Package agent is the host's side of the agent's SSH server: it runs
// programs and shells in a guest and copies directories into it.
//
// A guest is known by the key that the host made for it; there is no trust on
// first use. The package opens no port and runs no program on the host.
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"banger/internal/vm"
)

// Client is a connection to a guest's agent.
type Client struct {
	ssh *ssh.Client
}

// Login says who logs in to what.
type Login struct {
	Keys     vm.Keys
	User     string
	Emulated bool // the guest's processors have no fast instructions for AES
}

// Dial logs in over conn, a connection to the agent's SSH port.
func Dial(ctx context.Context, conn net.Conn, l Login) (*Client, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(loginTime))
	c, channels, requests, err := ssh.NewClientConn(conn, "guest", &ssh.ClientConfig{
		User:              l.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(l.Keys.Client)},
		HostKeyCallback:   ssh.FixedHostKey(l.Keys.Host.PublicKey()),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		Config:            ssh.Config{KeyExchanges: []string{ssh.KeyExchangeCurve25519}, Ciphers: l.ciphers()},
	})
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("log in to the guest: %w", err)
	}
	conn.SetDeadline(time.Time{})
	return &Client{ssh.NewClient(c, channels, requests)}, nil
}

// loginTime is for a guest that says nothing, or never the end. Emulated
// processors need a while for their part.
const loginTime = 2 * time.Minute

// ciphers are those that the agent has, the best one first: emulating AES
// instructions takes three times as long as doing without.
func (l Login) ciphers() []string {
	if l.Emulated {
		return []string{ssh.CipherChaCha20Poly1305}
	}
	return []string{ssh.CipherAES128GCM, ssh.CipherChaCha20Poly1305}
}

// Close ends the connection and what runs over it.
func (c *Client) Close() error { return c.ssh.Close() }

// await waits for an exchange with the guest for as long as ctx lasts. Then it
// closes the connection, which ends the exchange as a rule, but waits for nothing
// that a guest could hold up.
func (c *Client) await(ctx context.Context, exchange func() (int, error)) (int, error) {
	type end struct {
		status int
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		status, err := exchange()
		ended <- end{status, err}
	}()
	select {
	case e := <-ended:
		if ctx.Err() == nil {
			return e.status, e.err
		}
	case <-ctx.Done():
	}
	c.Close()
	return 0, context.Cause(ctx)
}

// open opens a session channel, sends the requests that prepare it and then
// start, which starts a program.
func (c *Client) open(start request, prepare ...request) (ssh.Channel, <-chan *ssh.Request, error) {
	channel, requests, err := c.ssh.OpenChannel("session", nil)
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		return nil, nil, fmt.Errorf("in the guest: %s", refused.Message)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open a session: %w", err)
	}
	for _, r := range prepare {
		if _, err := channel.SendRequest(r.name, false, r.payload); err != nil {
			channel.Close()
			return nil, nil, fmt.Errorf("set up the session: %w", err)
		}
	}
	ok, err := channel.SendRequest(start.name, true, start.payload)
	if err == nil && !ok {
		err = errors.New("the guest refused")
	}
	if err != nil {
		channel.Close()
		return nil, nil, fmt.Errorf("start in the guest: %w", err)
	}
	return channel, requests, nil
}

// request is an SSH channel request.
type request struct {
	name    string
	payload []byte
}

func jsonRequest(name string, payload any) (request, error) {
	data, err := json.Marshal(payload)
	return request{name, data}, err
}
