package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"banger/internal/guest/session"
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
	os.Exit(m.Run())
}

// fixture is a server on the loopback and what a client needs to log in.
type fixture struct {
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

// serve starts a server that lives as long as the test.
func serve(t *testing.T) *fixture {
	t.Helper()
	hostPEM, hostSigner := newKey(t)
	clientPEM, signer := newKey(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	config := Config{
		HostKey:       hostPEM,
		AuthorizedKey: ssh.MarshalAuthorizedKey(signer.PublicKey()),
		Sessions:      session.New(session.Config{}),
		RunDir:        t.TempDir(),
	}
	go Serve(listener, func() Config { return config })
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{listener.Addr().String(), me.Username, hostSigner.PublicKey(), clientPEM, signer}
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
	return serve(t).dial(t)
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
	f := serve(t)
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

// Not every client is OpenSSH of today.
func TestOlderClientsLogIn(t *testing.T) {
	f := serve(t)
	for name, algorithms := range map[string]ssh.Config{
		"paramiko 2": {KeyExchanges: []string{"curve25519-sha256@libssh.org"}, Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha2-256"}},
		"libssh2":    {KeyExchanges: []string{"ecdh-sha2-nistp256"}, Ciphers: []string{"aes256-ctr"}, MACs: []string{"hmac-sha2-512"}},
		"FIPS":       {KeyExchanges: []string{"ecdh-sha2-nistp384"}, Ciphers: []string{"aes256-gcm@openssh.com"}},
		"no curves":  {KeyExchanges: []string{"diffie-hellman-group14-sha256"}, Ciphers: []string{"aes192-ctr"}, MACs: []string{"hmac-sha2-256-etm@openssh.com"}},
	} {
		config := f.config()
		config.Config = algorithms
		client, err := ssh.Dial("tcp", f.addr, config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		client.Close()
	}
}

func TestUnknownUser(t *testing.T) {
	f := serve(t)
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
		"window-change": "", "x11-req": "",
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
}

func TestEnv(t *testing.T) {
	client := dial(t)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"GREETING": "a b\n=c", "HOME": "/nowhere"} {
		if err := session.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
	out, err := session.Output(`printf '%s|%s|%s|%s' "$GREETING" "$HOME" "$USER" "${TERM-none}"`)
	want := "a b\n=c|/nowhere|" + client.User() + "|"
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}

// A command line of nothing is done at once, and is no shell.
func TestEmptyLine(t *testing.T) {
	session, err := dial(t).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Run(""); err != nil {
		t.Error(err)
	}
}

// A signal that SSH has a name for is told by it.
func TestExitSignal(t *testing.T) {
	session, err := dial(t).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	exit, ok := errors.AsType[*ssh.ExitError](session.Run("kill -TERM $$"))
	if !ok || exit.Signal() != "TERM" {
		t.Errorf("got %v", exit)
	}
}
