package usernet

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// TLS: RFC 8446, sections 4 and 5.1.
const (
	recordHeader    = 5
	recordHandshake = 22
	messageHeader   = 4
	helloMessage    = 1

	// maxHello is more than any client's first message, in bytes.
	maxHello = 16 << 10
)

var errNoHello = errors.New("the client's first message is not to be understood")

// isTLS reports whether what a client sends first begins TLS. No server takes
// the form that SSL 2 had any more.
func isTLS(data []byte) bool { return len(data) > 0 && data[0] == recordHandshake }

// wholeHello reports whether data holds a client's whole first message, which
// may lie in many records.
func wholeHello(data []byte) (bool, error) {
	if len(data) > maxHello {
		return false, errNoHello
	}
	var head []byte // the message's beginning
	size := 0       // of the message, as far as it is here
	for len(data) >= recordHeader {
		length := int(binary.BigEndian.Uint16(data[3:]))
		if data[0] != recordHandshake || length == 0 || length > maxHello {
			return false, errNoHello
		}
		data = data[recordHeader:]
		part := data[:min(length, len(data))]
		head = append(head, part[:min(len(part), messageHeader-len(head))]...)
		size, data = size+len(part), data[len(part):]
		if len(head) < messageHeader {
			continue
		}
		if want := int(head[1])<<16 | int(head[2])<<8 | int(head[3]); head[0] != helloMessage || want > maxHello {
			return false, errNoHello
		} else if size >= messageHeader+want {
			return true, nil
		}
	}
	return false, nil
}

// helloName is the host that a client's whole first message names; "" is none.
func helloName(data []byte) (string, error) {
	var name string
	errRead := errors.New("read")
	server := tls.Server(helloConn{Reader: bytes.NewReader(data)}, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name = hello.ServerName
			return nil, errRead
		},
	})
	if err := server.HandshakeContext(context.Background()); !errors.Is(err, errRead) {
		return "", errNoHello
	}
	return name, nil
}

// helloConn has been sent a first message, and discards what is answered.
type helloConn struct {
	net.Conn // nil: nothing else is called
	io.Reader
}

func (c helloConn) Read(p []byte) (int, error)  { return c.Reader.Read(p) }
func (c helloConn) Write(p []byte) (int, error) { return len(p), nil }
func (c helloConn) Close() error                { return nil }
