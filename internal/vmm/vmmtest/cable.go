package vmmtest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// cable is a vmm.Network whose other end is the test.
type cable struct {
	messages chan message  // from the guest
	ended    chan struct{} // closed when the backend's serving has ended

	mu   sync.Mutex
	send func(frame []byte) error
}

// message is a frame of the guest program's.
type message struct {
	from net.HardwareAddr
	text string
}

const (
	etherType  = 0x88b5 // the guest program's
	headerSize = 14
	maxFrame   = 1 << 16
)

func newCable() *cable {
	return &cable{messages: make(chan message, 16), ended: make(chan struct{})}
}

// order sends an order to the guest. A guest that has spoken hears.
func (c *cable) order(text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.send == nil {
		return errors.New("nothing is plugged in")
	}
	frame := []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01")
	frame = binary.BigEndian.AppendUint16(frame, etherType)
	return c.send(append(frame, text...))
}

// ServeStream implements vmm.Network.
func (c *cable) ServeStream(ctx context.Context, conn net.Conn) error {
	in := bufio.NewReader(conn)
	return c.serve(ctx, conn, func(frame []byte) error {
		_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
		return err
	}, func(buf []byte) (int, error) {
		var size uint32
		if err := binary.Read(in, binary.BigEndian, &size); err != nil {
			return 0, err
		}
		if int(size) > len(buf) {
			return 0, fmt.Errorf("a frame of %d bytes", size)
		}
		return io.ReadFull(in, buf[:size])
	})
}

// ServePackets implements vmm.Network.
func (c *cable) ServePackets(ctx context.Context, conn io.ReadWriteCloser) error {
	return c.serve(ctx, conn, func(frame []byte) error {
		_, err := conn.Write(frame)
		return err
	}, conn.Read)
}

func (c *cable) serve(ctx context.Context, conn io.Closer, send func([]byte) error, receive func([]byte) (int, error)) error {
	defer close(c.ended)
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c.mu.Lock()
	c.send = send
	c.mu.Unlock()
	buf := make([]byte, maxFrame)
	for {
		n, err := receive(buf)
		if err != nil {
			return err
		}
		c.note(buf[:n])
	}
}

// note keeps the guest program's messages; the kernel's own frames are dropped.
func (c *cable) note(frame []byte) {
	if len(frame) < headerSize || binary.BigEndian.Uint16(frame[12:]) != etherType {
		return
	}
	from := net.HardwareAddr(append([]byte(nil), frame[6:12]...))
	c.messages <- message{from, strings.TrimRight(string(frame[headerSize:]), "\x00")}
}
