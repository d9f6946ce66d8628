package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
)

// listening plays a guest that listens, and that connects to the host as often as
// says has something for it to say. It gives what it hears to heard.
func listening(says []string, heard chan<- string) func(context.Context) (net.Conn, error) {
	connects := make(chan string, len(says))
	for _, text := range says {
		connects <- text
	}
	return func(context.Context) (net.Conn, error) {
		host, guest := net.Pipe()
		go func() {
			defer guest.Close()
			reader := bufio.NewReader(guest)
			header, err := link.ReadHeader(reader)
			if err != nil {
				return
			}
			channel := link.NewChannel(struct {
				io.Reader
				io.WriteCloser
			}{reader, guest})
			if header.Kind == agentapi.StreamListen {
				channel.Send(agentapi.Message{Listening: &agentapi.Listening{ID: "7", Address: "there"}})
				channel.Serve(func(agentapi.Message) {})
				return
			}
			text, ok := <-connects, string(header.Payload) == `{"id":"7"}`
			if text == "" || !ok {
				channel.Send(agentapi.Message{Refused: "no more"})
				return
			}
			go channel.Serve(func(agentapi.Message) {})
			channel.Send(agentapi.Message{Connected: true})
			io.WriteString(channel.Writer(link.Stdout), text)
			channel.Writer(link.Stdout).Close()
			all, err := io.ReadAll(channel.Reader(link.Stdin))
			if err != nil {
				all = []byte(err.Error())
			}
			heard <- string(all)
		}()
		return host, nil
	}
}

// What the guest connects to is the host's server, with both its ends.
func TestListener(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				all, _ := io.ReadAll(conn) // until the guest's end
				io.WriteString(conn, strings.ToUpper(string(all)))
				conn.Close()
			}()
		}
	}()
	long := strings.Repeat("x", 1<<20)
	heard := make(chan string, 3)
	listener, err := New(listening([]string{"a", "b", long, ""}, heard), "root").Listen(t.Context(), agentapi.ListenTCP, "x")
	if err != nil || listener.Address != "there" {
		t.Fatal(listener, err)
	}
	defer listener.Close()
	err = listener.Serve(t.Context(), func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Addr().String())
	})
	if err == nil || !strings.Contains(err.Error(), "no more") {
		t.Errorf("it ends by %v", err)
	}
	got := map[string]bool{<-heard: true, <-heard: true, <-heard: true}
	if !got["A"] || !got["B"] || !got[strings.ToUpper(long)] {
		t.Errorf("the guest hears %d answers of its own", len(got))
	}
}

// A host that does not take a connection ends it for the guest, and the next one
// is carried.
func TestListenerWithoutServer(t *testing.T) {
	heard := make(chan string, 1)
	listener, err := New(listening([]string{"a", ""}, heard), "root").Listen(t.Context(), agentapi.ListenTCP, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.Serve(t.Context(), func(context.Context) (net.Conn, error) { return nil, errors.New("none") })
	if got := <-heard; !strings.Contains(got, "ended") {
		t.Errorf("the guest hears %q", got)
	}
}

func TestListenASilentGuest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := New(func(context.Context) (net.Conn, error) {
		host, guest := net.Pipe()
		go func() {
			io.ReadFull(guest, make([]byte, 10))
			cancel()
			io.Copy(io.Discard, guest)
		}()
		return host, nil
	}, "root")
	if _, err := client.Listen(ctx, agentapi.ListenTCP, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
