package edge

import "net"

// listener gives the server its connections.
type listener struct{ *Edge }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: whoever has the edge closes it.
func (listener) Close() error { return nil }

// Addr implements net.Listener.
func (listener) Addr() net.Addr { return &net.UnixAddr{Name: "edge", Net: "unix"} }

// Get implements httputil.BufferPool.
func (e *Edge) Get() []byte {
	if buf, ok := e.buffers.Get().(*[copySize]byte); ok {
		return buf[:]
	}
	return make([]byte, copySize)
}

// Put implements httputil.BufferPool.
func (e *Edge) Put(buf []byte) {
	if len(buf) == copySize {
		e.buffers.Put((*[copySize]byte)(buf))
	}
}
