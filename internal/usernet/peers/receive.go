package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// maxMeeting is how many connections there may be that have not shown yet who
// they are. Where there are more, the oldest goes: a peer shows itself at once.
const maxMeeting = 32

func (p *Port) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) || p.ctx.Err() != nil {
			return
		}
		if err != nil { // of this process's limits
			select {
			case <-time.After(100 * time.Millisecond):
			case <-p.ctx.Done():
			}
			continue
		}
		if !p.begin(conn) {
			conn.Close()
			continue
		}
		p.work.Go(func() {
			defer conn.Close()
			p.serve(conn)
		})
	}
}

func (p *Port) begin(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if len(p.meeting) == maxMeeting {
		p.meeting[0].Close()
		p.meeting = slices.Delete(p.meeting, 0, 1)
	}
	p.meeting = append(p.meeting, conn)
	return true
}

// serve takes what a peer sends, once it has shown who it is.
func (p *Port) serve(conn net.Conn) {
	member, err := p.meet(conn)
	known := p.introduce(conn, member, err)
	if err != nil && p.ctx.Err() == nil {
		fmt.Fprintf(p.Log, "network: %v\n", err)
	}
	if !known {
		return
	}
	defer p.leave(conn, member)
	for err == nil {
		err = receive(conn, func(packet []byte) {
			if Belongs(packet, member.Address, p.Address, p.MaxPacket) {
				p.Deliver(member.Address, packet)
			}
		})
	}
}

// introduce ends a connection's meeting. One of a known peer takes the place of
// that one's last.
func (p *Port) introduce(conn net.Conn, member Member, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.meeting, conn); i >= 0 {
		p.meeting = slices.Delete(p.meeting, i, i+1)
	}
	if err != nil || p.closed {
		return false
	}
	if old := p.from[member.Address]; old != nil {
		old.Close()
	}
	p.from[member.Address] = conn
	return true
}

func (p *Port) leave(conn net.Conn, member Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.from[member.Address] == conn {
		delete(p.from, member.Address)
	}
}

// meet hears who dialled, and makes sure of it.
func (p *Port) meet(conn net.Conn) (m Member, err error) {
	pid, err := processOf(conn)
	if err != nil {
		return m, err
	}
	conn.SetReadDeadline(time.Now().Add(greeting))
	defer conn.SetReadDeadline(time.Time{})
	line := make([]byte, maxHello)
	n, err := conn.Read(line)
	if err != nil {
		return m, err
	}
	name, err := parseHello(line[:n])
	if err != nil {
		return m, fmt.Errorf("process %d: %w", pid, err)
	}
	m, ok := p.Directory.ByName(name)
	if !ok || !p.Directory.IsSupervisor(pid, m.Name) {
		return m, fmt.Errorf("process %d says that it supervises vm %q of this network, and does not", pid, name)
	}
	return m, nil
}

func parseHello(line []byte) (vm string, err error) {
	var h hello
	if err := json.Unmarshal(line, &h); err != nil || h.VM == "" {
		return "", errors.New("what it says first is not who it is")
	}
	return h.VM, nil
}

// processOf is the process at the other end of a connection, as the kernel says.
func processOf(conn net.Conn) (pid int, err error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errors.New("not a socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}

// Who waits for packets holds no buffer; maxBuffers is how many are filled at a
// time, and what is full waits for the guest to take it.
const (
	bufferSize = 1 << 16 // bytes: more than any packet
	maxBuffers = 16
)

var (
	buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}
	turns   = make(chan struct{}, maxBuffers)
)

// receive waits for a packet and hands it to use.
func receive(conn net.Conn, use func([]byte)) error {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var readErr error
	err = raw.Read(func(fd uintptr) (ready bool) {
		turns <- struct{}{}
		buf := buffers.Get().(*[bufferSize]byte)
		defer func() {
			buffers.Put(buf)
			<-turns
		}()
		n, err := unix.Read(int(fd), buf[:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false
		case errors.Is(err, unix.EINTR):
		case err != nil:
			readErr = err
		case n == 0:
			readErr = io.EOF
		default:
			use(buf[:n])
		}
		return true
	})
	return errors.Join(err, readErr)
}

// Belongs reports whether data is a whole IPv4 packet of TCP, UDP or ICMP from one
// address to another that has no more than most bytes. One with options is none:
// they are for choosing the way, and there is one only.
func Belongs(data []byte, from, to netip.Addr, most int) bool {
	packet := header.IPv4(data)
	if len(data) < header.IPv4MinimumSize || len(data) > most || data[0] != 4<<4|header.IPv4MinimumSize/4 ||
		int(packet.TotalLength()) != len(data) {
		return false
	}
	switch packet.TransportProtocol() {
	case header.TCPProtocolNumber, header.UDPProtocolNumber, header.ICMPv4ProtocolNumber:
	default:
		return false
	}
	return netip.AddrFrom4(packet.SourceAddress().As4()) == from && netip.AddrFrom4(packet.DestinationAddress().As4()) == to
}
