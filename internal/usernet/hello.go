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
	recordChange    = 20 // of ciphers
	recordHandshake = 22
	recordData      = 23
	messageHeader   = 4
	helloMessage    = 1

	// maxHello is more than any client's first message, in bytes.
	maxHello = 16 << 10
)

var errNoHello = errors.New("the client's first message is not to be understood")

// isTLS reports whether what a client sends first begins TLS. No server takes
// the form that SSL 2 had any more.
func isTLS(data []byte) bool { return len(data) > 0 && data[0] == recordHandshake }

// readHello returns how much of data is a client's whole first message, or 0 as long
// as it is not whole, and the host that it names; "" is none.
func readHello(data []byte) (size int, name string, err error) {
	if size, err = helloSize(data); size > 0 {
		name, err = helloName(data[:size])
	}
	return size, name, err
}

// helloSize is readHello's size. The message may lie in many records. Nothing may
// follow it in its last: servers would take that for the message after it.
func helloSize(data []byte) (int, error) {
	var head []byte // the message's beginning
	size := 0       // of the message, as far as it is here
	for at := 0; len(data)-at >= recordHeader; {
		length := int(binary.BigEndian.Uint16(data[at+3:]))
		if data[at] != recordHandshake || length == 0 || length > maxHello {
			return 0, errNoHello
		}
		at += recordHeader
		part := data[at:min(at+length, len(data))]
		head = append(head, part[:min(len(part), messageHeader-len(head))]...)
		size, at = size+len(part), at+len(part)
		if len(head) < messageHeader {
			continue
		}
		want := messageHeader + (int(head[1])<<16 | int(head[2])<<8 | int(head[3]))
		switch {
		case head[0] != helloMessage || want > maxHello || size > want || size == want && len(part) < length:
			return 0, errNoHello
		case size == want:
			return at, nil
		}
	}
	if len(data) > maxHello {
		return 0, errNoHello
	}
	return 0, nil
}

// pastRecords is what follows the records that a client may send between its first
// message and that again: RFC 8446, section 4.2.10 and appendix D.4.
func pastRecords(data []byte) []byte {
	for len(data) >= recordHeader && (data[0] == recordChange || data[0] == recordData) {
		data = data[min(recordHeader+int(binary.BigEndian.Uint16(data[3:])), len(data)):]
	}
	return data
}

// helloName is the host that a client's whole first message names.
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
