package sshd

import (
	"net"
	"sync"

	"golang.org/x/crypto/ssh"

	"banger/internal/guest/session"
	"banger/internal/guest/usersocket"
)

// forwards are the guest's ports and Unix sockets on which a client listens.
type forwards struct {
	client    *ssh.ServerConn
	mu        sync.Mutex
	listeners map[any]net.Listener // by endpoint, or by a socket's path
}

func newForwards(client *ssh.ServerConn) *forwards {
	return &forwards{client: client, listeners: map[any]net.Listener{}}
}

// serve handles the connection's own requests. Those it does not know, such as
// those that only ask whether anybody is there, it refuses, which answers them.
func (f *forwards) serve(requests <-chan *ssh.Request) {
	for request := range requests {
		ok, reply := f.handle(request)
		if request.WantReply {
			request.Reply(ok, reply)
		}
	}
}

func (f *forwards) handle(request *ssh.Request) (ok bool, reply []byte) {
	var at endpoint
	var socket socketAt
	switch request.Type {
	case "tcpip-forward":
		if ssh.Unmarshal(request.Payload, &at) == nil {
			return f.openPort(at)
		}
	case "cancel-tcpip-forward":
		return ssh.Unmarshal(request.Payload, &at) == nil && f.close(at), nil
	case "streamlocal-forward@openssh.com":
		return ssh.Unmarshal(request.Payload, &socket) == nil && f.openSocket(socket.Path), nil
	case "cancel-streamlocal-forward@openssh.com":
		return ssh.Unmarshal(request.Payload, &socket) == nil && f.close(socket.Path), nil
	}
	return false, nil
}

// openPort listens at an address. Its reply is the port, where the client left
// that open.
func (f *forwards) openPort(at endpoint) (bool, []byte) {
	listener, err := net.Listen("tcp", at.String())
	if err != nil {
		return false, nil
	}
	var reply []byte
	if at.Port == 0 {
		at.Port = uint32(listener.Addr().(*net.TCPAddr).Port)
		reply = ssh.Marshal(&struct{ Port uint32 }{at.Port})
	}
	f.add(at, listener, "forwarded-tcpip", func(conn net.Conn) []byte {
		origin := conn.RemoteAddr().(*net.TCPAddr)
		return ssh.Marshal(&forwarded{at.Host, at.Port, origin.IP.String(), uint32(origin.Port)})
	})
	return true, reply
}

// openSocket listens on a Unix socket, which is the user's alone.
func (f *forwards) openSocket(path string) bool {
	user, err := session.Lookup(f.client.User())
	if err != nil {
		return false
	}
	listener, err := usersocket.Listen(user, path)
	if err != nil {
		return false
	}
	f.add(path, listener, "forwarded-streamlocal@openssh.com", func(net.Conn) []byte {
		return ssh.Marshal(&struct{ Path, Reserved string }{Path: path})
	})
	return true
}

// add passes what listener accepts on to the client, by a channel of the kind
// and what about says.
func (f *forwards) add(key any, listener net.Listener, kind string, about func(net.Conn) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[key] = listener
	go forwardToClient(f.client, listener, kind, about)
}

func (f *forwards) close(key any) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	listener, ok := f.listeners[key]
	if ok {
		listener.Close()
		delete(f.listeners, key)
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

func forwardToClient(client ssh.Conn, listener net.Listener, kind string, about func(net.Conn) []byte) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			channel, requests, err := client.OpenChannel(kind, about(conn))
			if err != nil {
				conn.Close()
				return
			}
			go ssh.DiscardRequests(requests)
			join(channel, conn)
		}()
	}
}
