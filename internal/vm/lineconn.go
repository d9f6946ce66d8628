package vm

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
)

// LineConn is a connection that begins with lines of JSON and goes on as a
// plain stream.
type LineConn struct {
	net.Conn
	buf *bufio.Reader
}

// NewLineConn wraps conn.
func NewLineConn(conn net.Conn) *LineConn {
	return &LineConn{Conn: conn, buf: bufio.NewReader(conn)}
}

func (c *LineConn) Read(p []byte) (int, error) { return c.buf.Read(p) }

// CloseWrite tells the other side that no more comes.
func (c *LineConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// maxLine is more than any line of JSON between the two, in bytes: a policy of
// many names is the longest.
const maxLine = 512 << 10

// ReadJSON reads one line into v. The error is bufio.ErrBufferFull where the
// line is longer than any can be.
func (c *LineConn) ReadJSON(v any) error {
	var line []byte
	for {
		part, err := c.buf.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return json.Unmarshal(line, v)
		case !errors.Is(err, bufio.ErrBufferFull) || len(line) >= maxLine:
			return err
		}
	}
}
