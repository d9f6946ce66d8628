package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"

	"banger/internal/vm"
)

// serve answers on banger.sock until it is closed.
func (s *supervisor) serve() {
	for {
		conn, err := s.socket.Accept()
		if err != nil {
			return
		}
		go s.answer(vm.NewLineConn(conn))
	}
}

func (s *supervisor) answer(conn *vm.LineConn) {
	defer conn.Close()
	var request vm.Request
	if conn.ReadJSON(&request) != nil {
		return
	}
	switch request.Op {
	case vm.OpDial:
		s.splice(conn, request.Port)
	case vm.OpForward:
		s.forward(conn, request.Forward)
	case vm.OpPause:
		reply(conn, s.pause())
	case vm.OpResume:
		reply(conn, s.resume())
	case vm.OpStop:
		s.stop("stopped")
		reply(conn, nil)
	case vm.OpKill:
		s.kill("killed")
		reply(conn, nil)
	default:
		reply(conn, fmt.Errorf("unknown operation %q", request.Op))
	}
}

func reply(conn io.Writer, err error) error {
	var r vm.Reply
	if err != nil {
		r.Error = err.Error()
	}
	return json.NewEncoder(conn).Encode(r)
}

// splice joins conn to a port of the guest.
func (s *supervisor) splice(conn *vm.LineConn, port uint16) {
	guest, err := s.dialGuest(port)
	if reply(conn, err) != nil || err != nil {
		return
	}
	defer guest.Close()
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		io.Copy(to, from)
		closeWrite(to)
		done <- struct{}{}
	}
	go pipe(guest, conn)
	go pipe(conn, guest)
	<-done
	<-done
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	c.Close()
}

func (s *supervisor) dialGuest(port uint16) (net.Conn, error) {
	b, err := s.up()
	if err != nil {
		return nil, err
	}
	return b.network.Dial(context.Background(), port)
}

// up returns the boot whose guest can be reached.
func (s *supervisor) up() (*boot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.boot == nil || s.vm.State.Phase == vm.Starting {
		return nil, errors.New("the guest is not up yet")
	}
	return s.boot, nil
}
