package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"

	"banger/internal/agentapi"
	"banger/internal/vm"
)

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// dialFake logs in to a guest that the test plays: do gets each session that is
// asked for.
func dialFake(t *testing.T, do func(ssh.NewChannel)) *Client {
	t.Helper()
	login := Login{Keys: vm.Keys{Client: newSigner(t), Host: newSigner(t)}, User: "root"}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(login.Keys.Host)
	host, guest := connect(t)
	go func() {
		_, channels, requests, err := ssh.NewServerConn(guest, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for channel := range channels {
			go do(channel)
		}
	}()
	client, err := Dial(t.Context(), host, login)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// connect returns both ends of a connection.
func connect(t *testing.T) (host, guest net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if host, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if guest, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); guest.Close() })
	return host, guest
}

// silent never answers.
func silent(ssh.NewChannel) {}

// accept takes a session and answers each request by what answer says.
func accept(answer func(ssh.Channel, *ssh.Request) bool) func(ssh.NewChannel) {
	return func(asked ssh.NewChannel) {
		channel, requests, err := asked.Accept()
		if err != nil {
			return
		}
		for r := range requests {
			if ok := answer(channel, r); r.WantReply {
				r.Reply(ok, nil)
			}
		}
	}
}

func TestDialASilentGuest(t *testing.T) {
	host, _ := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Dial(ctx, host, Login{Keys: vm.Keys{Client: newSigner(t), Host: newSigner(t)}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The end of the context ends whatever waits for the guest.
func TestContextEndsEverything(t *testing.T) {
	dir := t.TempDir()
	guests := map[string]func(entered func()) func(ssh.NewChannel){
		"opens no session": func(entered func()) func(ssh.NewChannel) { return func(ssh.NewChannel) { entered() } },
		"starts nothing": func(entered func()) func(ssh.NewChannel) {
			return accept(func(ssh.Channel, *ssh.Request) bool { entered(); select {} })
		},
		"never ends": func(entered func()) func(ssh.NewChannel) {
			return accept(func(ssh.Channel, *ssh.Request) bool { entered(); return true })
		},
		// The library's loop over what comes waits for somebody to hear of it.
		"floods": func(entered func()) func(ssh.NewChannel) {
			return accept(func(c ssh.Channel, r *ssh.Request) bool {
				for range 100 {
					r.Reply(true, nil)
				}
				entered()
				return true
			})
		},
	}
	calls := map[string]func(context.Context, *Client) error{
		"run": func(ctx context.Context, c *Client) error {
			_, err := c.Run(ctx, Program{}, Streams{Stdout: io.Discard, Stderr: io.Discard})
			return err
		},
		"copy": func(ctx context.Context, c *Client) error { return c.CopyDir(ctx, dir, []string{"."}, "x") },
		"read": func(ctx context.Context, c *Client) error { return c.ReadRoot(ctx, io.Discard) },
	}
	for guest, do := range guests {
		for name, call := range calls {
			t.Run(name+" in a guest that "+guest, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				client := dialFake(t, do(cancel))
				if err := call(ctx, client); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// running accepts a session, says when its program runs, and answers other
// requests by what answer says.
func running(answer func(ssh.Channel, *ssh.Request) bool) func(ssh.NewChannel) {
	return accept(func(c ssh.Channel, r *ssh.Request) bool {
		if r.Type != agentapi.RequestExec {
			return answer(c, r)
		}
		go c.Write([]byte("runs"))
		return true
	})
}

// onWrite calls itself when something is written.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) { f(); return len(p), nil }

func end(c ssh.Channel, status byte) {
	c.SendRequest("exit-status", false, []byte{0, 0, 0, status})
	c.Close()
}

func TestSignals(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(ssh.Channel, *ssh.Request) bool
		send   int // signals
		status int
		err    error
	}{
		"nobody takes it":        {func(ssh.Channel, *ssh.Request) bool { select {} }, 1, 0, ErrInterrupted},
		"it is refused":          {func(ssh.Channel, *ssh.Request) bool { return false }, 1, 0, ErrInterrupted},
		"the program ends by it": {func(c ssh.Channel, r *ssh.Request) bool { end(c, 9); return true }, 1, 9, nil},
		"refused, for it ended":  {func(c ssh.Channel, r *ssh.Request) bool { end(c, 9); return false }, 1, 9, nil},
		"the program ignores it": {func(ssh.Channel, *ssh.Request) bool { return true }, 2, 0, ErrInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialFake(t, running(tt.answer))
			signals := make(chan string, tt.send)
			runs := onWrite(func() {
				for range tt.send {
					signals <- "INT"
				}
			})
			status, err := client.Run(t.Context(), Program{Signals: signals}, Streams{Stdout: runs, Stderr: io.Discard})
			if status != tt.status || !errors.Is(err, tt.err) {
				t.Errorf("got %d, %v; want %d, %v", status, err, tt.status, tt.err)
			}
		})
	}
}

// What has not begun to run hears no signal.
func TestSignalBeforeTheProgram(t *testing.T) {
	signals := make(chan string, 1)
	signals <- "INT"
	_, err := dialFake(t, silent).Run(t.Context(), Program{Signals: signals}, Streams{Stdout: io.Discard, Stderr: io.Discard})
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// At a raw terminal ^C is a byte, which a guest that takes no input never sees.
func TestControlC(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(ssh.Channel, *ssh.Request) bool
		err    error
	}{
		"in a guest that is frozen": {func(_ ssh.Channel, r *ssh.Request) bool {
			if r.Type == "keepalive@openssh.com" {
				select {}
			}
			return true
		}, ErrInterrupted},
		"in one that is not": {func(c ssh.Channel, r *ssh.Request) bool {
			if r.Type == "keepalive@openssh.com" {
				end(c, 0)
			}
			return false
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialFake(t, running(tt.answer))
			in, typing := io.Pipe()
			defer typing.Close()
			runs := onWrite(func() { typing.Write([]byte{controlC}) })
			_, err := client.Run(t.Context(), Program{Terminal: &Terminal{}}, Streams{Stdin: in, Stdout: runs, Stderr: io.Discard})
			if !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
		})
	}
}

func TestExitStatus(t *testing.T) {
	status := func(n uint32) *ssh.Request {
		return &ssh.Request{Type: "exit-status", Payload: ssh.Marshal(struct{ N uint32 }{n})}
	}
	signal := func(name string) *ssh.Request {
		return &ssh.Request{Type: "exit-signal", Payload: ssh.Marshal(struct {
			Name       string
			Core       bool
			Text, Lang string
		}{Name: name})}
	}
	for _, tt := range []struct {
		request *ssh.Request
		want    int
	}{
		{status(0), 0}, {status(1), 1}, {status(255), 255}, {status(256), 255}, {status(1 << 31), 255}, {status(1<<32 - 1), 255},
		{signal("INT"), 130}, {signal("KILL"), 137}, {signal("BUS"), 135}, {signal("SYS"), 159}, {signal("TRAP"), 133},
		{signal(""), 255}, {signal("no such"), 255},
	} {
		requests := make(chan *ssh.Request, 1)
		requests <- tt.request
		close(requests)
		if got, err := awaitExit(requests); got != tt.want || err != nil {
			t.Errorf("%s %q: got %d, %v; want %d", tt.request.Type, tt.request.Payload, got, err, tt.want)
		}
	}
	for _, bad := range []*ssh.Request{{Type: "exit-status", Payload: []byte{0}}, {Type: "exit-signal"}} {
		requests := make(chan *ssh.Request, 1)
		requests <- bad
		if got, err := awaitExit(requests); err == nil {
			t.Errorf("%s without a value: got %d", bad.Type, got)
		}
		close(requests)
	}
}

// A guest opens nothing towards its host that it was not asked for.
func TestGuestOpensNothing(t *testing.T) {
	login := Login{Keys: vm.Keys{Client: newSigner(t), Host: newSigner(t)}, User: "root"}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(login.Keys.Host)
	host, guest := connect(t)
	served := make(chan *ssh.ServerConn, 1)
	go func() {
		conn, channels, requests, err := ssh.NewServerConn(guest, config)
		if err == nil {
			go ssh.DiscardRequests(requests)
			go func() {
				for range channels {
				}
			}()
		}
		served <- conn
	}()
	client, err := Dial(t.Context(), host, login)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn := <-served
	for _, kind := range []string{"session", "direct-tcpip", "forwarded-tcpip", "auth-agent@openssh.com", "x11",
		"forwarded-streamlocal@openssh.com", "direct-streamlocal@openssh.com", "tun@openssh.com"} {
		payload := ssh.Marshal(struct {
			Host       string
			Port       uint32
			OriginHost string
			OriginPort uint32
		}{"127.0.0.1", 22, "127.0.0.1", 1})
		if _, _, err := conn.OpenChannel(kind, payload); err == nil {
			t.Errorf("%s was opened", kind)
		}
	}
	for _, kind := range []string{"tcpip-forward", "streamlocal-forward@openssh.com", "hostkeys-00@openssh.com"} {
		if ok, _, err := conn.SendRequest(kind, true, nil); ok || err != nil {
			t.Errorf("%s: %v, %v", kind, ok, err)
		}
	}
}
