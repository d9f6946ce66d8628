package engine

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"testing"
	"time"

	"banger/internal/agent/link"
	"banger/internal/guest/linkd"
	"banger/internal/guest/session"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// Whoever reads a sync's result as JSON finds lists.
func TestSyncedIsOfLists(t *testing.T) {
	text, err := json.Marshal(Synced{Refused: []string{"out"}})
	if want := `{"push":[],"pull":[],"conflicts":[],"refused":["out"]}`; err != nil || string(text) != want {
		t.Errorf("it is %s, %v", text, err)
	}
}

// guestHere has a VM's guest be a part of this process: its agent, on the host's files.
func guestHere(t *testing.T, e *Engine, name string) {
	t.Helper()
	addVM(t, e, vm.VM{Name: name, Image: "i", Kernel: "k"})
	host, guest := net.Pipe()
	secret := link.Secret([]byte("key"))
	go func() {
		if l, err := link.Offer(guest, secret); err == nil {
			(&linkd.Server{Sessions: session.New(session.Config{})}).Serve(l)
		}
	}()
	l, err := link.Accept(host, secret, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := statedir.ListenSocket(e.vms.Path(name, statedir.Socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		listener.Close()
		l.Close()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go joinGuest(conn, l)
		}
	}()
}

// joinGuest does what a supervisor does for who asks it for a stream of the link.
func joinGuest(conn net.Conn, l *link.Link) {
	defer conn.Close()
	lines := vm.NewLineConn(conn)
	stream, err := l.Open(context.Background())
	if err != nil || lines.ReadJSON(&vm.Request{}) != nil || json.NewEncoder(conn).Encode(vm.Reply{}) != nil {
		return
	}
	defer stream.Close()
	go func() {
		io.Copy(stream, lines)
		stream.Close()
	}()
	io.Copy(conn, stream)
}
