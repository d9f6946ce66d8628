package jail

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ring that the kernel puts frames into: packet_mmap.rst, TPACKET_V2. A
// socket's ordinary buffer would hold a few frames of this size, and an
// ordinary user may not enlarge it.
const (
	slotSize      = 68 << 10 // a frame of the longest MTU, and its header
	slotsPerBlock = 15
	blockSize     = 1 << 20
	blocks        = 4
	slots         = blocks * slotsPerBlock
)

// Cable is the other end of the TAP of a jail: each Read returns one frame that
// the program sent, each Write sends it one.
type Cable struct {
	file *os.File
	raw  syscall.RawConn
	ring []byte
	next int // the slot that is read next

	mu     sync.Mutex // guards ring against being closed while it is read
	closed bool
}

// Receive returns the cable that Exec hands over at the other end of socket. It
// waits for it, and fails where that end is closed without one.
func Receive(socket *os.File) (*Cable, error) {
	fd, err := receiveFD(socket)
	if err != nil {
		return nil, err
	}
	ring, err := makeRing(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up the network's ring: %w", err)
	}
	file := os.NewFile(uintptr(fd), "cable")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		unix.Munmap(ring)
		return nil, err
	}
	return &Cable{file: file, raw: raw, ring: ring}, nil
}

// errNothing says that the jail's process ended before it handed anything over.
var errNothing = errors.New("nothing was handed over")

func receiveFD(socket *os.File) (int, error) {
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(socket.Fd()), data, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return -1, errNothing
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, errNothing
	}
	return fds[0], unix.SetNonblock(fds[0], true)
}

func makeRing(fd int) ([]byte, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, err
	}
	request := unix.TpacketReq{Block_size: blockSize, Block_nr: blocks, Frame_size: slotSize, Frame_nr: slots}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return nil, err
	}
	return unix.Mmap(fd, 0, blockSize*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// slot returns the header of the slot that is read next, and its bytes.
func (c *Cable) slot() (*unix.Tpacket2Hdr, []byte) {
	at := c.next/slotsPerBlock*blockSize + c.next%slotsPerBlock*slotSize
	bytes := c.ring[at : at+slotSize]
	return (*unix.Tpacket2Hdr)(unsafe.Pointer(&bytes[0])), bytes
}

// Read returns the next frame, cut off where p is too short for it.
func (c *Cable) Read(p []byte) (n int, err error) {
	err = c.raw.Read(func(uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closed {
			return true
		}
		n = c.take(p)
		return n > 0
	})
	if err == nil && n == 0 {
		err = os.ErrClosed
	}
	return n, err
}

// take copies the next frame that came from the program, 0 bytes where there is
// none yet.
func (c *Cable) take(p []byte) int {
	for {
		header, bytes := c.slot()
		if loadStatus(header)&unix.TP_STATUS_USER == 0 {
			return 0
		}
		n := 0
		if address := linkAddress(bytes); address.Pkttype != unix.PACKET_OUTGOING {
			n = copy(p, bytes[header.Mac:uint32(header.Mac)+header.Snaplen])
		}
		storeStatus(header, unix.TP_STATUS_KERNEL)
		c.next = (c.next + 1) % slots
		if n > 0 {
			return n
		}
	}
}

// linkAddress is behind a slot's header, at the next multiple of 16 bytes.
func linkAddress(slot []byte) *unix.RawSockaddrLinklayer {
	const at = (unsafe.Sizeof(unix.Tpacket2Hdr{}) + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)
	return (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&slot[at]))
}

// Write sends one frame.
func (c *Cable) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	if errors.Is(err, unix.ENOBUFS) {
		return len(p), nil // the program does not read: as on any cable, the frame is lost
	}
	return n, err
}

// Close ends a Read that waits.
func (c *Cable) Close() error {
	err := c.file.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return err
	}
	c.closed = true
	return errors.Join(err, unix.Munmap(c.ring))
}
