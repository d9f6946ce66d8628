package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
)

// fake returns a client of a guest that the test plays: do gets each stream that
// is asked for.
func fake(t *testing.T, do func(net.Conn)) *Client {
	t.Helper()
	return New(func(context.Context) (net.Conn, error) {
		host, guest := connect(t)
		go do(guest)
		return host, nil
	}, "root")
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
func silent(net.Conn) {}

// running has a program run, and answers what is said to it by answer.
func running(answer func(*link.Channel, agentapi.Message)) func(net.Conn) {
	return func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		if _, err := link.ReadHeader(reader); err != nil {
			return
		}
		c := link.NewChannel(struct {
			io.Reader
			io.WriteCloser
		}{reader, conn})
		go io.WriteString(c.Writer(link.Stdout), "runs")
		c.Serve(func(m agentapi.Message) { answer(c, m) })
	}
}

// The end of the context ends whatever waits for the guest.
func TestContextEndsEverything(t *testing.T) {
	dir := t.TempDir()
	guests := map[string]func(entered func()) func(net.Conn){
		"says nothing": func(entered func()) func(net.Conn) { return func(net.Conn) { entered() } },
		"never ends": func(entered func()) func(net.Conn) {
			return func(conn net.Conn) {
				entered()
				running(func(*link.Channel, agentapi.Message) {})(conn)
			}
		},
		"floods": func(entered func()) func(net.Conn) {
			return func(conn net.Conn) {
				entered()
				c := link.NewChannel(conn)
				for c.Send(agentapi.Message{Answer: &agentapi.Answer{To: 1}}) == nil {
				}
			}
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
				if err := call(ctx, fake(t, do(cancel))); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// What a guest says wrongly ends the call, and is no success.
func TestMalformedGuest(t *testing.T) {
	zero := 0
	for name, tt := range map[string]struct {
		guest func(net.Conn, *link.Channel)
		want  error
	}{
		"ends at once":     {func(conn net.Conn, _ *link.Channel) { conn.Close() }, ErrLost},
		"ends in a frame":  {func(conn net.Conn, _ *link.Channel) { conn.Write([]byte{link.Stdout, 0}); conn.Close() }, ErrLost},
		"an endless frame": {func(conn net.Conn, _ *link.Channel) { conn.Write([]byte{link.Stdout, 255, 255, 255, 255}) }, ErrLost},
		"an unknown frame": {func(conn net.Conn, _ *link.Channel) { conn.Write([]byte{99, 0, 0, 0, 0}) }, ErrLost},
		"no JSON":          {func(conn net.Conn, _ *link.Channel) { conn.Write([]byte{4, 0, 0, 0, 1, '['}) }, ErrLost},
		"room that is not": {func(conn net.Conn, _ *link.Channel) { conn.Write([]byte{3, 0, 0, 0, 5, 0, 0, 0, 0, 1}) }, ErrLost},
		"ends without saying": {func(conn net.Conn, c *link.Channel) {
			c.Writer(link.Stdout).Close()
			c.Writer(link.Stderr).Close()
			conn.Close()
		}, ErrLost},
		"all in order": {func(_ net.Conn, c *link.Channel) { c.Send(agentapi.Message{Exit: &zero}) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake(t, func(conn net.Conn) {
				if _, err := link.ReadHeader(bufio.NewReader(conn)); err == nil {
					tt.guest(conn, link.NewChannel(conn))
				}
			})
			_, err := client.Run(t.Context(), Program{}, Streams{Stdout: io.Discard, Stderr: io.Discard})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// onWrite calls itself when something is written.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) { f(); return len(p), nil }

func answer(c *link.Channel, m agentapi.Message, ok bool) {
	c.Send(agentapi.Message{Answer: &agentapi.Answer{To: m.Ask, OK: ok}})
}

func end(c *link.Channel, status int) { c.Send(agentapi.Message{Exit: &status}) }

func TestSignals(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(*link.Channel, agentapi.Message)
		send   int // signals
		status int
		err    error
	}{
		"nobody takes it":        {func(*link.Channel, agentapi.Message) { select {} }, 1, 0, ErrInterrupted},
		"it is refused":          {func(c *link.Channel, m agentapi.Message) { answer(c, m, false) }, 1, 0, ErrInterrupted},
		"another is answered":    {func(c *link.Channel, m agentapi.Message) { m.Ask += 7; answer(c, m, true) }, 1, 0, ErrInterrupted},
		"the program ends by it": {func(c *link.Channel, m agentapi.Message) { answer(c, m, true); end(c, 9) }, 1, 9, nil},
		"refused, for it ended":  {func(c *link.Channel, m agentapi.Message) { answer(c, m, false); end(c, 9) }, 1, 9, nil},
		"the program ignores it": {func(c *link.Channel, m agentapi.Message) { answer(c, m, true) }, 2, 0, ErrInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake(t, running(tt.answer))
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
	_, err := fake(t, silent).Run(t.Context(), Program{Signals: signals}, Streams{Stdout: io.Discard, Stderr: io.Discard})
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// A signal ends the wait for a guest that cannot be reached.
func TestSignalWhileDialling(t *testing.T) {
	signals := make(chan string, 1)
	signals <- "INT"
	client := New(func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }, "root")
	_, err := client.Run(t.Context(), Program{Signals: signals}, Streams{Stdout: io.Discard, Stderr: io.Discard})
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// At a raw terminal ^C is a byte, which a guest that takes no input never sees.
func TestControlC(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(*link.Channel, agentapi.Message)
		err    error
	}{
		"in a guest that is frozen": {func(*link.Channel, agentapi.Message) { select {} }, ErrInterrupted},
		"in one that is not":        {func(c *link.Channel, m agentapi.Message) { answer(c, m, true); end(c, 0) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake(t, running(tt.answer))
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

// What the host cannot write is why a run ends, and nothing of the guest's.
func TestOutputThatFails(t *testing.T) {
	full := errors.New("no space left on device")
	client := fake(t, running(func(*link.Channel, agentapi.Message) {}))
	_, err := client.Run(t.Context(), Program{}, Streams{Stdout: failing{full}, Stderr: io.Discard})
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestExitStatus(t *testing.T) {
	for reported, want := range map[int]int{0: 0, 1: 1, 137: 137, 255: 255, 256: 255, 1 << 31: 255, -1: 255, -256: 255} {
		client := fake(t, running(func(c *link.Channel, m agentapi.Message) { end(c, reported) }))
		signals := make(chan string, 1)
		runs := onWrite(func() { signals <- "INT" })
		got, err := client.Run(t.Context(), Program{Signals: signals}, Streams{Stdout: runs, Stderr: io.Discard})
		if got != want || err != nil {
			t.Errorf("%d: got %d, %v, want %d", reported, got, err, want)
		}
	}
}
