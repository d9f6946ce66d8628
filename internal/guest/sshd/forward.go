package sshd

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// endpoint is an address as SSH writes it, see RFC 4254, section 7.
type endpoint struct {
	Host string
	Port uint32
}

func (e endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }

// forwarded is the payload of both kinds of forwarding channels.
type forwarded struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// forwardToGuest connects a channel of the client's to an address that the
// guest can reach.
func forwardToGuest(ctx context.Context, request ssh.NewChannel) {
	var to forwarded
	if err := ssh.Unmarshal(request.ExtraData(), &to); err != nil {
		request.Reject(ssh.ConnectionFailed, "bad address")
		return
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", endpoint{to.Host, to.Port}.String())
	if err != nil {
		request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := request.Accept()
	if err != nil {
		conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	join(channel, conn)
}

// forwards are the ports of the guest on which a client listens.
type forwards struct {
	client    *ssh.ServerConn
	mu        sync.Mutex
	listeners map[endpoint]net.Listener
}

func newForwards(client *ssh.ServerConn) *forwards {
	return &forwards{client: client, listeners: map[endpoint]net.Listener{}}
}

// serve handles the connection's own requests. Those it does not know, such as
// those that only ask whether anybody is there, it refuses, which answers them.
func (f *forwards) serve(requests <-chan *ssh.Request) {
	for request := range requests {
		ok, reply := false, []byte(nil)
		var at endpoint
		switch request.Type {
		case "tcpip-forward":
			if ssh.Unmarshal(request.Payload, &at) == nil {
				ok, reply = f.open(at)
			}
		case "cancel-tcpip-forward":
			if ssh.Unmarshal(request.Payload, &at) == nil {
				ok = f.close(at)
			}
		}
		if request.WantReply {
			request.Reply(ok, reply)
		}
	}
}

// open listens at an address. Its reply is the port, where the client left
// that open.
func (f *forwards) open(at endpoint) (bool, []byte) {
	listener, err := net.Listen("tcp", at.String())
	if err != nil {
		return false, nil
	}
	var reply []byte
	if at.Port == 0 {
		at.Port = uint32(listener.Addr().(*net.TCPAddr).Port)
		reply = ssh.Marshal(&struct{ Port uint32 }{at.Port})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[at] = listener
	go f.accept(listener, at)
	return true, reply
}

func (f *forwards) close(at endpoint) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	listener, ok := f.listeners[at]
	if ok {
		listener.Close()
		delete(f.listeners, at)
	}
	return ok
}

// closeAll ends all listening. Nothing may be opened after it.
func (f *forwards) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, listener := range f.listeners {
		listener.Close()
	}
}

func (f *forwards) accept(listener net.Listener, at endpoint) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go f.forwardToClient(conn, at)
	}
}

func (f *forwards) forwardToClient(conn net.Conn, at endpoint) {
	origin := conn.RemoteAddr().(*net.TCPAddr)
	payload := forwarded{at.Host, at.Port, origin.IP.String(), uint32(origin.Port)}
	channel, requests, err := f.client.OpenChannel("forwarded-tcpip", ssh.Marshal(&payload))
	if err != nil {
		conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	join(channel, conn)
}

// join copies both ways, passes on the end of each, and closes both.
func join(channel ssh.Channel, conn net.Conn) {
	var copies sync.WaitGroup
	copies.Go(func() {
		io.Copy(channel, conn)
		channel.CloseWrite()
	})
	copies.Go(func() {
		io.Copy(conn, channel)
		conn.(*net.TCPConn).CloseWrite()
	})
	copies.Wait()
	channel.Close()
	conn.Close()
}
