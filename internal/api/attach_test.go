package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"banger/internal/agent"
)

// A signal is heard behind input that the program does not take.
func TestSignalBehindInput(t *testing.T) {
	signals, resized, typed := make(chan string), make(chan agent.Size), make(chan []byte, queued)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		defer close(typed)
		readMessages(r.Context(), conn, typed, signals, resized)
	}))
	defer server.Close()
	conn, _, err := websocket.Dial(t.Context(), server.URL, nil) //nolint:bodyclose // the library does
	if err != nil {
		t.Fatal(err)
	}
	stdin, feed := io.Pipe()
	go feedFrom(typed, feed)
	for _, m := range []string{"\x00one", "\x00two", "\x00"} {
		if err := conn.Write(t.Context(), websocket.MessageBinary, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"signal":"INT"}`)); err != nil {
		t.Fatal(err)
	}
	if got := <-signals; got != "INT" {
		t.Errorf("heard %q", got)
	}
	if text, err := io.ReadAll(stdin); err != nil || string(text) != "onetwo" {
		t.Errorf("typed %q, %v", text, err)
	}
	conn.CloseNow()
	for range typed { // until the client is known to have gone
	}
}

// A client that cannot be asked any more is gone; one that is slow to answer is not.
func TestAskWhetherThere(t *testing.T) {
	answers := make(chan error, 3)
	answers <- nil
	answers <- context.DeadlineExceeded
	answers <- errors.New("broken pipe")
	tick := make(chan time.Time)
	gone := make(chan struct{})
	go askWhetherThere(t.Context(), func(context.Context) error { return <-answers }, tick, func() { close(gone) })
	for range 3 {
		select {
		case <-gone:
			t.Fatal("it was hung up on")
		case tick <- time.Time{}:
		}
	}
	<-gone

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	askWhetherThere(ctx, nil, nil, nil)
}
