package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"banger/internal/agent/link"
	"banger/internal/vm"
)

const (
	maxOrders  = 64  // under way at a time, and requests that are not read yet
	maxLasting = 256 // connections by way of banger.sock that last

	requestTimeout = 5 * time.Second  // for a client to say what it wants
	dialTimeout    = 30 * time.Second // for the guest to take a connection
)

// server answers on banger.sock. What lasts, such as a connection to the
// guest, does not take the place of orders.
type server struct {
	supervisor *supervisor
	orders     chan struct{} // as full as there are orders
	lasts      chan struct{} // as full as there are connections that last
}

func newServer(s *supervisor) *server {
	return &server{s, make(chan struct{}, maxOrders), make(chan struct{}, maxLasting)}
}

// serve answers until the listener is closed. An accept that fails, as where
// there is no descriptor left, is tried again.
func (s *server) serve(listener net.Listener) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	for pause := shortest; ; {
		s.orders <- struct{}{}
		conn, err := listener.Accept()
		if err == nil {
			pause = shortest
			go s.answer(vm.NewLineConn(conn))
			continue
		}
		<-s.orders
		if errors.Is(err, net.ErrClosed) {
			return
		}
		fmt.Fprintf(s.supervisor.Log, "%v; again in %s\n", err, pause)
		time.Sleep(pause) // nothing says when a descriptor comes free
		pause = min(2*pause, longest)
	}
}

// lasting are the operations whose connection goes on after the reply.
var lasting = []string{vm.OpLink, vm.OpDial, vm.OpForward, vm.OpTraffic, vm.OpWait}

// answer serves one connection, which has a place among the orders.
func (s *server) answer(conn *vm.LineConn) {
	defer conn.Close()
	request, err := readRequest(conn)
	if err == nil && slices.Contains(lasting, request.Op) {
		s.lasting(conn, request)
		return
	}
	defer func() { <-s.orders }()
	if err == nil {
		s.supervisor.obey(conn, request)
	}
}

func readRequest(conn *vm.LineConn) (request vm.Request, err error) {
	conn.SetReadDeadline(time.Now().Add(requestTimeout))
	if err := conn.ReadJSON(&request); err != nil {
		return request, err
	}
	return request, conn.SetReadDeadline(time.Time{})
}

// lasting changes the connection's place among the orders for one among those
// that last, where there is one.
func (s *server) lasting(conn *vm.LineConn, request vm.Request) {
	select {
	case s.lasts <- struct{}{}:
		<-s.orders
		defer func() { <-s.lasts }()
	default:
		reply(conn, fmt.Errorf("there are %d connections to the guest already", cap(s.lasts)))
		<-s.orders
		return
	}
	switch request.Op {
	case vm.OpForward:
		s.supervisor.forward(conn, request.Forward)
	case vm.OpLink:
		defer s.supervisor.use.begin()()
		s.supervisor.joinAgent(conn)
	case vm.OpTraffic:
		s.supervisor.followTraffic(conn)
	case vm.OpWait:
		s.supervisor.main.wait(conn)
	case vm.OpDial:
		defer s.supervisor.use.begin()()
		s.supervisor.splice(conn, request.Port)
	}
}

// obey carries out an order.
func (s *supervisor) obey(conn net.Conn, request vm.Request) {
	switch request.Op {
	case vm.OpPolicy:
		reply(conn, s.setPolicy(request.Policy))
	case vm.OpPause:
		reply(conn, s.pause(newCaller(conn)))
	case vm.OpResume:
		reply(conn, s.resume(newCaller(conn)))
	case vm.OpSnapshot:
		s.snapshot(conn, request.Dir)
	case vm.OpStats:
		s.stats(conn)
	case vm.OpSecrets:
		conn.SetWriteDeadline(time.Now().Add(requestTimeout))
		json.NewEncoder(conn).Encode(vm.Reply{Secrets: s.currentValues()})
	case vm.OpStop:
		reply(conn, s.stop(newCaller(conn), "stopped"))
	case vm.OpKill:
		s.kill("killed")
		reply(conn, nil)
	case vm.OpTouch:
		s.touch()
		reply(conn, nil)
	case vm.OpSignal:
		reply(conn, s.main.signal(request.Signal))
	case vm.OpSet:
		waits, err := s.set(request.Change)
		replyWith(conn, vm.Reply{Waits: waits}, err)
	case vm.OpGrow:
		reply(conn, s.growVolume(newCaller(conn), request.Volume, request.Bytes))
	default:
		reply(conn, fmt.Errorf("unknown operation %q", request.Op))
	}
}

func reply(conn net.Conn, err error) error { return replyWith(conn, vm.Reply{}, err) }

func replyWith(conn net.Conn, r vm.Reply, err error) error {
	conn.SetWriteDeadline(time.Now().Add(requestTimeout))
	defer conn.SetWriteDeadline(time.Time{})
	if err != nil {
		r.Error = clip(err.Error(), maxReason)
	}
	return json.NewEncoder(conn).Encode(r)
}

// joinAgent joins conn to a stream of the agent's link. The end of either is the
// end of both: what half of it would mean is said in what they carry.
func (s *supervisor) joinAgent(conn *vm.LineConn) {
	stream, err := s.openStream()
	if reply(conn, err) != nil || err != nil {
		if err == nil {
			stream.Reset()
		}
		return
	}
	var outward sync.WaitGroup
	outward.Go(func() {
		io.Copy(conn, stream)
		conn.Close()
	})
	io.Copy(stream, conn)
	stream.Reset()
	outward.Wait()
}

func (s *supervisor) openStream() (*link.Stream, error) {
	b, err := s.up()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	return b.agent.open(ctx)
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
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	return b.network.Dial(ctx, port)
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
