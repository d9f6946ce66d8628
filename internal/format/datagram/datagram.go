// Package datagram carries datagrams over a stream: each is its length, in two
// bytes with the high one first, and what it has. So none is longer than Max.
package datagram

import (
	"encoding/binary"
	"errors"
	"io"
)

// Max is the most that a datagram has, in bytes.
const Max = 1<<16 - 1

const headerSize = 2

// Stream is the datagrams that go over a stream. One goroutine may read and another
// write.
type Stream struct {
	over io.ReadWriter
	out  []byte
}

// New returns the datagrams of a stream.
func New(over io.ReadWriter) *Stream { return &Stream{over: over} }

// Write sends a datagram.
func (s *Stream) Write(data []byte) (int, error) {
	if len(data) > Max {
		return 0, errors.New("the datagram is too long")
	}
	s.out = append(binary.BigEndian.AppendUint16(s.out[:0], uint16(len(data))), data...)
	if _, err := s.over.Write(s.out); err != nil {
		return 0, err
	}
	return len(data), nil
}

// Read receives a datagram, of which what buf has no room for is lost. The error is
// io.EOF where the stream ends between two.
func (s *Stream) Read(buf []byte) (int, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(s.over, header[:]); err != nil {
		return 0, err
	}
	size := int(binary.BigEndian.Uint16(header[:]))
	n, err := io.ReadFull(s.over, buf[:min(size, len(buf))])
	if err == nil {
		_, err = io.CopyN(io.Discard, s.over, int64(size-n))
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
