package session_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/user"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"banger/internal/agent"
	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/guest/linkd"
	"banger/internal/guest/session"
	"banger/internal/guest/sshd"
)

// TestMain lets sessions run this program for its other parts, as in a guest.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == session.FirstArgument {
		os.Exit(session.BecomeFirst(os.Args[2]))
	}
	os.Exit(m.Run())
}

// program is what to run, and how.
type program struct {
	agentapi.Exec
	stdin          io.Reader // nil is an empty one
	stdout, stderr io.Writer
	terminal       bool // 80 by 24
}

// running is a program that runs.
type running struct {
	signal func(name string)
	resize func(columns, rows int)
	hangUp func()
	wait   func() (int, error)
}

// transport is one of the ways to sessions.
type transport func(t *testing.T, sessions *session.Sessions) (start func(*testing.T, program) running)

// overBoth runs a test over each transport.
func overBoth(t *testing.T, test func(*testing.T, *session.Sessions, func(*testing.T, program) running)) {
	for name, transport := range map[string]transport{"ssh": overSSH, "link": overLink} {
		t.Run(name, func(t *testing.T) {
			sessions := newSessions(nil)
			test(t, sessions, transport(t, sessions))
		})
	}
}

func newSessions(waitInit func(context.Context) error) *session.Sessions {
	return session.New(session.Config{
		WaitInit: waitInit,
		WriteRoot: func(w io.Writer) error {
			_, err := io.WriteString(w, "a part")
			return errors.Join(err, errors.New("pack /etc: gone"))
		},
	})
}

// me is who the tests run programs as.
func me(t *testing.T) *user.User {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// cable returns both ends of a connection.
func cable(t *testing.T) (host, guest net.Conn) {
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

// dial returns a client of sessions, as user, over a link.
func dial(t *testing.T, sessions *session.Sessions, user string) *agent.Client {
	t.Helper()
	host, guest := cable(t)
	secret := link.Secret([]byte("key"))
	go func() {
		l, err := link.Offer(guest, secret)
		if err == nil {
			(&linkd.Server{Sessions: sessions}).Serve(l)
		}
	}()
	l, err := link.Accept(host, secret, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return agent.New(func(ctx context.Context) (net.Conn, error) { return l.Open(ctx) }, user)
}

func overLink(t *testing.T, sessions *session.Sessions) func(*testing.T, program) running {
	client := dial(t, sessions, me(t).Username)
	return func(t *testing.T, p program) running {
		signals, sizes := make(chan string), make(chan agent.Size)
		ctx, cancel := context.WithCancel(t.Context())
		var terminal *agent.Terminal
		if p.terminal {
			terminal = &agent.Terminal{Type: "xterm-banger", Size: agent.Size{Columns: 80, Rows: 24}, Resized: sizes}
		}
		type end struct {
			status int
			err    error
		}
		ended := make(chan end, 1)
		go func() {
			status, err := client.Run(ctx, agent.Program{Exec: p.Exec, Terminal: terminal, Signals: signals},
				agent.Streams{Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr})
			ended <- end{status, err}
		}()
		return running{
			signal: func(name string) { signals <- name },
			resize: func(c, r int) { sizes <- agent.Size{Columns: uint32(c), Rows: uint32(r)} },
			hangUp: cancel,
			wait:   func() (int, error) { e := <-ended; return e.status, e.err },
		}
	}
}

func overSSH(t *testing.T, sessions *session.Sessions) func(*testing.T, program) running {
	client := dialSSH(t, sessions)
	return func(t *testing.T, p program) running {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if p.terminal {
			if err := s.RequestPty("xterm-banger", 24, 80, ssh.TerminalModes{}); err != nil {
				t.Fatal(err)
			}
		}
		s.Stdout, s.Stderr = p.stdout, p.stderr
		in, err := s.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := startSSH(s, p.Exec); err != nil {
			t.Fatal(err)
		}
		go func() {
			if p.stdin != nil {
				io.Copy(in, p.stdin)
			}
			in.Close()
		}()
		return running{
			signal: func(name string) { s.Signal(ssh.Signal(name)) },
			resize: func(c, r int) { s.WindowChange(r, c) },
			hangUp: func() { s.Close() },
			wait: func() (int, error) {
				err := s.Wait()
				exit, ok := errors.AsType[*ssh.ExitError](err)
				switch {
				case ok && exit.Signal() != "":
					return 128 + int(unix.SignalNum("SIG"+exit.Signal())), nil
				case ok:
					return exit.ExitStatus(), nil
				}
				return 0, err
			},
		}
	}
}

// startSSH starts what SSH has a request for.
func startSSH(s *ssh.Session, e agentapi.Exec) error {
	if e.Line == "" {
		return s.Shell()
	}
	return s.Start(e.Line)
}

func dialSSH(t *testing.T, sessions *session.Sessions) *ssh.Client {
	t.Helper()
	hostPEM, hostKey := newKey(t)
	_, clientKey := newKey(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	config := sshd.Config{HostKey: hostPEM, AuthorizedKey: ssh.MarshalAuthorizedKey(clientKey.PublicKey()),
		Sessions: sessions, RunDir: t.TempDir()}
	go sshd.Serve(listener, func() sshd.Config { return config })
	client, err := ssh.Dial("tcp", listener.Addr().String(), &ssh.ClientConfig{
		User: me(t).Username, Auth: []ssh.AuthMethod{ssh.PublicKeys(clientKey)}, HostKeyCallback: ssh.FixedHostKey(hostKey.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
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

// result is what a program wrote, and how it ended.
type result struct {
	stdout, stderr string
	status         int
}

// run runs a program to its end.
func run(t *testing.T, start func(*testing.T, program) running, p program) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p.stdout, p.stderr = &stdout, &stderr
	status, err := start(t, p).wait()
	if err != nil {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), status}
}
