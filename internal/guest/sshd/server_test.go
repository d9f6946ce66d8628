package sshd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strings"
	"testing"

	"banger/internal/agentapi"

	"golang.org/x/crypto/ssh"
)

// TestMain lets the server run this program for its other parts, as in a guest.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == SFTPArgument {
		if err := ServeSFTP(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == FirstArgument {
		os.Exit(BecomeFirst(os.Args[2]))
	}
	os.Exit(m.Run())
}

// fixture is a server on the loopback and what a client needs to log in.
type fixture struct {
	server    *Server
	addr      string
	user      string
	hostKey   ssh.PublicKey
	clientPEM []byte
	signer    ssh.Signer
}

func newKey(t *testing.T) ([]byte, ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), signer
}

// serve starts a server that lives as long as the test; init is its WaitInit.
func serve(t *testing.T, init func(context.Context) error) *fixture {
	t.Helper()
	hostPEM, hostSigner := newKey(t)
	clientPEM, signer := newKey(t)
	server, err := New(Config{
		HostKey:       hostPEM,
		AuthorizedKey: ssh.MarshalAuthorizedKey(signer.PublicKey()),
		WaitInit:      init,
		RunDir:        t.TempDir(),
		WriteRoot: func(w io.Writer) error {
			_, err := io.WriteString(w, "a part")
			return errors.Join(err, errors.New("pack /etc: gone"))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go server.Serve(listener)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{server, listener.Addr().String(), me.Username, hostSigner.PublicKey(), clientPEM, signer}
}

func (f *fixture) config() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:            f.user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(f.signer)},
		HostKeyCallback: ssh.FixedHostKey(f.hostKey),
	}
}

// dial logs in as the user whose test this is.
func dial(t *testing.T) *ssh.Client {
	t.Helper()
	f := serve(t, func(context.Context) error { return nil })
	return f.dial(t)
}

func (f *fixture) dial(t *testing.T) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", f.addr, f.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestOnlyTheKeyLogsIn(t *testing.T) {
	f := serve(t, nil)
	_, stranger := newKey(t)
	for name, change := range map[string]func(*ssh.ClientConfig){
		"another key": func(c *ssh.ClientConfig) { c.Auth = []ssh.AuthMethod{ssh.PublicKeys(stranger)} },
		"no key":      func(c *ssh.ClientConfig) { c.Auth = nil },
		"password":    func(c *ssh.ClientConfig) { c.Auth = []ssh.AuthMethod{ssh.Password("")} },
	} {
		config := f.config()
		change(config)
		if client, err := ssh.Dial("tcp", f.addr, config); err == nil {
			client.Close()
			t.Errorf("%s: logged in", name)
		}
	}
	f.dial(t)
}

func TestUnknownUser(t *testing.T) {
	f := serve(t, nil)
	f.user = "no-such-user"
	_, err := f.dial(t).NewSession()
	refused, ok := errors.AsType[*ssh.OpenChannelError](err)
	if !ok || refused.Message != "no such user: no-such-user" {
		t.Errorf("got %v", err)
	}
}

func TestNewRejectsBadKeys(t *testing.T) {
	hostPEM, signer := newKey(t)
	authorized := ssh.MarshalAuthorizedKey(signer.PublicKey())
	for _, c := range []Config{{}, {HostKey: hostPEM}, {AuthorizedKey: authorized}, {HostKey: authorized, AuthorizedKey: hostPEM}} {
		if _, err := New(c); err == nil {
			t.Errorf("no error for %+v", c)
		}
	}
}

func TestUnknownRequestsAreRefused(t *testing.T) {
	client := dial(t)
	// keepalive is answered by refusing it.
	if ok, _, err := client.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("keepalive: %v, %v", ok, err)
	}
	if _, _, err := client.OpenChannel("x11", nil); err == nil {
		t.Error("a channel of an unknown type was opened")
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string]string{
		"exec": "", "env": "\x00", "pty-req": "x", "subsystem": "\x00\x00\x00\x04mail", "signal": "\x00\x00\x00\x03NOT",
		"window-change": "", "x11-req": "", agentapi.RequestExec: "{", agentapi.RequestUntar: `{"dir":""}`,
	} {
		if ok, err := session.SendRequest(name, true, []byte(payload)); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if out, err := session.Output("echo still alive"); string(out) != "still alive\n" || err != nil {
		t.Errorf("after those: %q, %v", out, err)
	}
}

// result is how a program of the guest ended.
type result struct {
	stdout, stderr string
	status         int
	signal         string
}

func outcome(stdout, stderr *bytes.Buffer, err error) result {
	r := result{stdout: stdout.String(), stderr: stderr.String()}
	var exit *ssh.ExitError
	switch {
	case errors.As(err, &exit):
		r.status, r.signal = exit.ExitStatus(), exit.Signal()
	case err != nil:
		r.signal = err.Error()
	}
	return r
}

// request sends one of banger's own requests and waits for the outcome.
func request(t *testing.T, client *ssh.Client, name string, payload any, stdin io.Reader) result {
	t.Helper()
	data, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := channel.SendRequest(name, true, data); !ok || err != nil {
		t.Fatalf("%s: %v, %v", name, ok, err)
	}
	go func() {
		io.Copy(channel, stdin)
		channel.CloseWrite()
	}()
	var stdout, stderr bytes.Buffer
	copied := make(chan struct{}, 2)
	go func() { io.Copy(&stdout, channel); copied <- struct{}{} }()
	go func() { io.Copy(&stderr, channel.Stderr()); copied <- struct{}{} }()
	r := result{status: -1}
	for request := range requests {
		switch request.Type {
		case "exit-status":
			var exit struct{ Status uint32 }
			if err := ssh.Unmarshal(request.Payload, &exit); err != nil {
				t.Error(err)
			}
			r.status = int(exit.Status)
		case "exit-signal":
			var exit struct {
				Name string
				Rest []byte `ssh:"rest"`
			}
			if err := ssh.Unmarshal(request.Payload, &exit); err != nil {
				t.Error(err)
			}
			r.signal = exit.Name
		}
	}
	<-copied
	<-copied
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

func noInput() io.Reader { return strings.NewReader("") }
