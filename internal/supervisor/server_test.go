package supervisor

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"banger/internal/vm"
)

// exhausted is a listener whose first accepts fail as where no descriptor is left.
type exhausted struct {
	failures int
	conns    chan net.Conn
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.failures--; e.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: syscall.EMFILE}
	}
	conn, ok := <-e.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (e *exhausted) Close() error   { close(e.conns); return nil }
func (e *exhausted) Addr() net.Addr { return &net.UnixAddr{} }

func serveTest(t *testing.T, failures int) (*server, chan<- net.Conn) {
	t.Helper()
	s := newServer(&supervisor{Options: Options{Log: io.Discard}})
	listener := &exhausted{failures, make(chan net.Conn)}
	done := make(chan struct{})
	go func() { s.serve(listener); close(done) }()
	t.Cleanup(func() { listener.Close(); <-done })
	return s, listener.conns
}

// ask sends a request and returns the answer's error.
func ask(t *testing.T, conns chan<- net.Conn, request string) string {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	conns <- theirs
	io.WriteString(ours, request+"\n")
	var r vm.Reply
	if err := vm.NewLineConn(ours).ReadJSON(&r); err != nil {
		t.Fatal(err)
	}
	return r.Error
}

func TestAcceptThatFailsIsSurvived(t *testing.T) {
	_, conns := serveTest(t, 3)
	if got := ask(t, conns, `{"op":"x"}`); !strings.Contains(got, `unknown operation "x"`) {
		t.Errorf("got %q", got)
	}
}

// Connections to the guest leave room for orders.
func TestDialledConnectionsAreBounded(t *testing.T) {
	s, conns := serveTest(t, 0)
	for range maxLasting {
		s.lasts <- struct{}{}
	}
	for range 2 * maxOrders { // each gives its place back
		if got := ask(t, conns, `{"op":"dial","port":22}`); !strings.Contains(got, "connections to the guest already") {
			t.Fatalf("got %q", got)
		}
	}
	if got := ask(t, conns, `{"op":"x"}`); !strings.Contains(got, "unknown operation") {
		t.Errorf("an order: %q", got)
	}
	<-s.lasts
	if got := ask(t, conns, `{"op":"dial","port":22}`); got != "the guest is not up yet" {
		t.Errorf("after one has ended: %q", got)
	}
}

// One that says nothing does not keep its place for good.
func TestRequestHasADeadline(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	began := time.Now()
	if _, err := readRequest(vm.NewLineConn(theirs)); err == nil {
		t.Error("heard something")
	}
	if time.Since(began) < requestTimeout/2 {
		t.Error("gave up at once")
	}
}
