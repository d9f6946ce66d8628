package link

import (
	"io"
	"net"
)

// Join carries a connection's bytes by the pipe that comes and the one that goes,
// with the end of each, until both have ended or one has broken, and closes the
// connection. Serve has to run meanwhile.
func (c *Channel) Join(conn net.Conn, in, out int) {
	defer conn.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := io.Copy(conn, c.Reader(in)); err != nil {
			conn.Close()
			return
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	}()
	if _, err := io.Copy(c.Writer(out), conn); err != nil {
		c.Close()
	} else {
		c.Writer(out).Close()
	}
	<-done
}
