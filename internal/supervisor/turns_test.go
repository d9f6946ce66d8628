package supervisor

import (
	"io"
	"net"
	"testing"
	"time"

	"banger/internal/vm"
)

// Who waits for another hears for what, and has its order carried out then.
func TestOrderHearsWhatItWaitsFor(t *testing.T) {
	s, conns := serveTest(t, 0)
	end, err := s.supervisor.turns.take("a snapshot of it is being taken", nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := order(t, conns, `{"op":"pause"}`)
	var first, second vm.Reply
	if err := answers.ReadJSON(&first); err != nil || first.WaitsFor != "a snapshot of it is being taken" {
		t.Errorf("first it hears %+v, %v", first, err)
	}
	end()
	if err := answers.ReadJSON(&second); err != nil || second.WaitsFor != "" || second.Error == "" {
		t.Errorf("then it hears %+v, %v", second, err) // that there is nothing to pause
	}
}

// An order that was given up is not carried out later.
func TestOrderIsGivenUp(t *testing.T) {
	s, conns := serveTest(t, 0)
	end, err := s.supervisor.turns.take("a snapshot of it is being taken", nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := order(t, conns, `{"op":"stop"}`)
	var waits vm.Reply
	if err := answers.ReadJSON(&waits); err != nil || waits.WaitsFor == "" {
		t.Fatalf("it hears %+v, %v", waits, err)
	}
	answers.Close()
	for range maxOrders - 1 { // all places but that of the one who accepts
		select {
		case s.orders <- struct{}{}:
		case <-time.After(time.Minute):
			t.Fatal("the order waits on")
		}
	}
	end()
	if asked := s.supervisor.reasonAsked(); asked != "" {
		t.Errorf("the vm is to end: %s", asked)
	}
}

// order sends a request, and returns what its answers come by.
func order(t *testing.T, conns chan<- net.Conn, request string) *vm.LineConn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	conns <- theirs
	io.WriteString(ours, request+"\n")
	return vm.NewLineConn(ours)
}
