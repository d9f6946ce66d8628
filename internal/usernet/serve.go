package usernet

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// ServeStream implements vmm.Network.
func (n *Network) ServeStream(ctx context.Context, conn net.Conn) error {
	send := func(frame [][]byte) error {
		var size [4]byte
		packet := append(make(net.Buffers, 0, 1+len(frame)), size[:])
		packet = append(packet, frame...)
		binary.BigEndian.PutUint32(size[:], uint32(length(frame)))
		_, err := packet.WriteTo(conn)
		return err
	}
	in := bufio.NewReaderSize(conn, maxFrame)
	return n.serve(ctx, conn, send, func() (*buffer.View, error) { return readFrame(in) })
}

// ServePackets implements vmm.Network.
func (n *Network) ServePackets(ctx context.Context, conn io.ReadWriteCloser) error {
	packet := make([]byte, 0, maxFrame) // transmit sends one frame at a time
	send := func(frame [][]byte) error {
		packet = packet[:0]
		for _, part := range frame {
			packet = append(packet, part...)
		}
		_, err := conn.Write(packet)
		return err
	}
	in := make([]byte, maxFrame)
	return n.serve(ctx, conn, send, func() (*buffer.View, error) {
		size, err := conn.Read(in)
		if err != nil {
			return nil, err
		}
		// A copy: what the stack keeps of a short frame must not keep a long one.
		return buffer.NewViewWithData(in[:size]), nil
	})
}

// serve carries frames between the guest at conn and the stack.
func (n *Network) serve(ctx context.Context, conn io.Closer,
	send func([][]byte) error, receive func() (*buffer.View, error)) error {
	if !n.begin() {
		conn.Close()
		return ErrClosed
	}
	defer n.work.Done()
	for _, end := range []context.Context{ctx, n.ctx} {
		defer context.AfterFunc(end, func() { conn.Close() })()
	}
	n.link.connect(send)
	defer n.link.detach()
	defer conn.Close()
	for {
		frame, err := receive()
		if err != nil {
			return fmt.Errorf("read the guest's frames: %w", err)
		}
		n.link.receive(frame)
	}
}

// readFrame reads a frame behind its length.
func readFrame(in io.Reader) (*buffer.View, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(prefix[:])
	if size < header.EthernetMinimumSize || size > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", size)
	}
	frame := buffer.NewViewSize(int(size))
	if _, err := io.ReadFull(in, frame.AsSlice()); err != nil {
		frame.Release()
		return nil, errors.Join(errors.New("a frame ends early"), err)
	}
	return frame, nil
}

func length(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}
