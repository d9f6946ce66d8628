package link

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"banger/internal/agentapi"
)

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

var secret = Secret([]byte("key"))

// linked returns both sides of a link.
func linked(t *testing.T) (host, guest *Link) {
	t.Helper()
	a, b := cable(t)
	guest, err := Offer(b, secret)
	if err != nil {
		t.Fatal(err)
	}
	if host, err = Accept(a, secret, time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); guest.Close() })
	return host, guest
}

func TestStreams(t *testing.T) {
	host, guest := linked(t)
	for _, text := range []string{"one", "two"} {
		stream, err := host.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteHeader(stream, "kind", text); err != nil {
			t.Fatal(err)
		}
		theirs, err := guest.Next()
		if err != nil {
			t.Fatal(err)
		}
		h, err := ReadHeader(bufio.NewReader(theirs))
		if err != nil || h.Kind != "kind" || h.Protocol != agentapi.Protocol || string(h.Payload) != `"`+text+`"` {
			t.Errorf("got %+v, %v", h, err)
		}
	}
	guest.Close()
	<-host.Done()
}

func TestStrangersOpenNoLink(t *testing.T) {
	for name, says := range map[string]string{
		"nothing":        "",
		"another secret": greeting + string(Secret([]byte("other"))),
		"no greeting":    strings.Repeat("x", len(greeting)) + string(secret),
		"too little":     greeting + string(secret[:8]),
	} {
		host, guest := cable(t)
		io.WriteString(guest, says)
		guest.(*net.TCPConn).CloseWrite()
		if _, err := Accept(host, secret, time.Minute); !errors.Is(err, ErrStranger) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	host, _ := cable(t)
	if _, err := Accept(host, secret, time.Millisecond); !errors.Is(err, ErrStranger) {
		t.Errorf("one who waits: got %v", err)
	}
}

func TestSecretIsTheVMs(t *testing.T) {
	if bytes.Equal(Secret([]byte("a")), Secret([]byte("b"))) {
		t.Error("two VMs have one secret")
	}
}

// The guest opens nothing towards its host, however often it tries, and nothing
// is kept of what it sends there.
func TestGuestOpensNothing(t *testing.T) {
	host, guest := linked(t)
	for range 100 {
		stream, err := guest.session.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(make([]byte, 64<<10))
		if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, yamux.ErrStreamReset) {
			t.Errorf("a stream was opened: %v", err)
		}
	}
	if n := host.session.NumStreams(); n != 0 {
		t.Errorf("%d streams are kept", n)
	}
}

// A guest that takes nothing, and that takes no stream, keeps nobody longer than
// they want to wait.
func TestFrozenGuest(t *testing.T) {
	a, b := cable(t)
	b.Write(append([]byte(greeting), secret...))
	host, err := Accept(a, secret, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 1000 { // at most so many may wait to be taken
		stream, err := host.Open(ctx)
		if err != nil {
			break
		}
		defer stream.Reset()
	}
	stream, err := host.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan error)
	go func() {
		_, err := io.Copy(stream, endless{})
		stuck <- err
	}()
	stream.SetDeadline(time.Now())
	if err := <-stuck; err == nil {
		t.Error("a guest that reads nothing has read it all")
	}
	host.Close()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestHeaderIsBounded(t *testing.T) {
	if _, err := ReadHeader(bufio.NewReader(endless{})); !errors.Is(err, errLongHeader) {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{"", "{", "{\n", "[]\n", "7"} {
		if h, err := ReadHeader(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%q: got %+v", text, h)
		}
	}
}

// What sends without end is cut off, whatever it is, and little is kept of it.
func TestFloods(t *testing.T) {
	data := append([]byte{Stdout, 0, 0, 0x80, 0}, make([]byte, 32<<10)...)
	for name, frame := range map[string][]byte{"data": data, "credit": {frameCredit, 0, 0, 0, 5, 0, 0, 0, 0, 1}} {
		host, guest := cable(t)
		c := NewChannel(host)
		go func() {
			for {
				if _, err := guest.Write(frame); err != nil {
					return
				}
			}
		}()
		if err := c.Serve(func(agentapi.Message) {}); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := c.in[Stdout].data.Len(); n > window {
			t.Errorf("%s: %d bytes are kept", name, n)
		}
		c.Close()
	}
}

// channels returns both ends of a channel, served; heard takes the second one's
// messages.
func channels(t *testing.T) (a, b *Channel, heard chan agentapi.Message) {
	t.Helper()
	x, y := cable(t)
	a, b, heard = NewChannel(x), NewChannel(y), make(chan agentapi.Message, 1)
	go a.Serve(func(agentapi.Message) {})
	go b.Serve(func(m agentapi.Message) { heard <- m })
	return a, b, heard
}

// Messages, and each pipe, pass one that nobody reads.
func TestPipesAreIndependent(t *testing.T) {
	a, b, heard := channels(t)
	full := make(chan error, 1)
	go func() {
		_, err := io.Copy(a.Writer(Stdin), io.LimitReader(endless{}, 4*window))
		full <- err
	}()
	for a.out[Stdin].free() > 0 {
		runtime.Gosched()
	}
	if err := a.Send(agentapi.Message{Signal: "INT"}); err != nil {
		t.Fatal(err)
	}
	if m := <-heard; m.Signal != "INT" {
		t.Errorf("got %+v", m)
	}
	go func() {
		io.WriteString(a.Writer(Stdout), "beside")
		a.Writer(Stdout).Close()
	}()
	if text, err := io.ReadAll(b.Reader(Stdout)); string(text) != "beside" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(b.Reader(Stdin), 4*window)); n != 4*window || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if err := <-full; err != nil {
		t.Error(err)
	}
}

func (out *outbound) free() int {
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.room
}

// The end of a channel is no end of what it carries.
func TestChannelEnds(t *testing.T) {
	a, b, _ := channels(t)
	io.WriteString(a.Writer(Stdout), "half")
	a.Close()
	text, err := io.ReadAll(b.Reader(Stdout))
	if string(text) != "half" || !errors.Is(err, ErrEnded) {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := b.Writer(Stdin).Write(make([]byte, 2*window)); err == nil {
		t.Error("wrote to nobody")
	}
}

type readOnly struct{ io.Reader }

func (readOnly) Write(p []byte) (int, error) { return len(p), nil }
func (readOnly) Close() error                { return nil }

func FuzzChannel(f *testing.F) {
	f.Add([]byte{Stdout, 0, 0, 0, 1, 'x', Stdout, 0, 0, 0, 0, frameCredit, 0, 0, 0, 5, 0, 0, 0, 0, 0})
	f.Add([]byte(string([]byte{frameMessage, 0, 0, 0, 10}) + `{"exit":0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := NewChannel(readOnly{bytes.NewReader(data)})
		if c.Serve(func(agentapi.Message) {}) == nil {
			t.Error("it ended without a reason")
		}
		for i := range c.in {
			if got, _ := io.ReadAll(c.Reader(i)); len(got) > len(data) {
				t.Errorf("read %d bytes of %d", len(got), len(data))
			}
		}
	})
}
