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

// socketAt is a Unix socket's path as OpenSSH writes it, see its PROTOCOL file,
// section 2.4. Both kinds of channels have it, and something reserved.
type socketAt struct {
	Path string
	Rest []byte `ssh:"rest"`
}

// forwardToPort connects a channel of the client's to an address that the guest
// can reach.
func forwardToPort(ctx context.Context, request ssh.NewChannel) {
	var to forwarded
	if err := ssh.Unmarshal(request.ExtraData(), &to); err != nil {
		request.Reject(ssh.ConnectionFailed, "bad address")
		return
	}
	forwardToGuest(ctx, request, "tcp", endpoint{to.Host, to.Port}.String())
}

// forwardToSocket connects a channel of the client's to a Unix socket.
func forwardToSocket(ctx context.Context, request ssh.NewChannel) {
	var to socketAt
	if err := ssh.Unmarshal(request.ExtraData(), &to); err != nil {
		request.Reject(ssh.ConnectionFailed, "bad path")
		return
	}
	forwardToGuest(ctx, request, "unix", to.Path)
}

func forwardToGuest(ctx context.Context, request ssh.NewChannel, network, address string) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
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

// join copies both ways, passes on the end of each, and closes both.
func join(channel ssh.Channel, conn net.Conn) {
	var copies sync.WaitGroup
	copies.Go(func() {
		io.Copy(channel, conn)
		channel.CloseWrite()
	})
	copies.Go(func() {
		io.Copy(conn, channel)
		conn.(interface{ CloseWrite() error }).CloseWrite()
	})
	copies.Wait()
	channel.Close()
	conn.Close()
}
