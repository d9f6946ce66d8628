// Package tcpend ends the guest's TCP connections, whose other ends are gone: what
// reads or writes one gets an error at once, where it would have waited for long.
package tcpend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The kernel's sock_diag(7), see linux/inet_diag.h.
const (
	diagByFamily = 20
	diagDestroy  = 21

	requestSize = 56 // struct inet_diag_req_v2
	messageSize = 72 // struct inet_diag_msg
	msgIDOffset = 4  // and in the second
	idSize      = 48

	stateListen = 10
	allStates   = 0xfff &^ (1 << stateListen)
)

// All ends every connection but those of the loopback, which have both their ends
// here, and those of a local port.
func All(except uint16) error {
	err := all(except)
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := loadModules(); err != nil {
		return err
	}
	return all(except)
}

// Ready has the kernel load now what All needs of it.
func Ready() error {
	_, err := all4()
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	return loadModules()
}

// all4 lists the connections by IPv4.
func all4() ([]sockID, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return list(fd, unix.AF_INET)
}

func all(except uint16) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var failed error
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		ids, err := list(fd, family)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if id.local() || id.port() == except {
				continue
			}
			if err := destroy(fd, family, id); err != nil && !errors.Is(err, unix.ENOENT) {
				failed = err
			}
		}
	}
	return failed
}

// sockID is a struct inet_diag_sockid.
type sockID [idSize]byte

func (s sockID) port() uint16 { return binary.BigEndian.Uint16(s[:]) }

// local reports whether the connection is one of the loopback. IPv4 addresses are
// the first four bytes of sixteen.
func (s sockID) local() bool {
	var v6 [16]byte
	copy(v6[:], s[20:36])
	v4 := netip.AddrFrom4([4]byte(v6[:4]))
	a := netip.AddrFrom16(v6)
	rest := [12]byte(v6[4:])
	return a.Unmap().IsLoopback() || rest == [12]byte{} && v4.IsLoopback()
}

func request(kind uint16, flags uint16, family byte, states uint32, id sockID) []byte {
	size := unix.SizeofNlMsghdr + requestSize
	b := binary.NativeEndian.AppendUint32(nil, uint32(size))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = append(b, make([]byte, 8)...) // sequence and port
	b = append(b, family, unix.IPPROTO_TCP, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, states)
	return append(b, id[:]...)
}

func list(fd int, family byte) (ids []sockID, err error) {
	if err := send(fd, request(diagByFamily, unix.NLM_F_DUMP, family, allStates, sockID{})); err != nil {
		return nil, err
	}
	for {
		done, err := receive(fd, func(data []byte) {
			if len(data) >= messageSize {
				ids = append(ids, sockID(data[msgIDOffset:msgIDOffset+idSize]))
			}
		})
		if done || err != nil {
			return ids, err
		}
	}
}

func destroy(fd int, family byte, id sockID) error {
	if err := send(fd, request(diagDestroy, unix.NLM_F_ACK, family, allStates, id)); err != nil {
		return err
	}
	_, err := receive(fd, func([]byte) {})
	return err
}

func send(fd int, b []byte) error {
	return unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// receive reads messages; done says that the last one came.
func receive(fd int, each func([]byte)) (done bool, err error) {
	buf := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return false, err
	}
	for buf = buf[:n]; len(buf) >= unix.SizeofNlMsghdr; {
		size := int(binary.NativeEndian.Uint32(buf))
		if size < unix.SizeofNlMsghdr || size > len(buf) {
			return false, errors.New("a malformed message of the kernel's")
		}
		data := buf[unix.SizeofNlMsghdr:size]
		switch binary.NativeEndian.Uint16(buf[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(data) < 4 {
				return false, errors.New("a malformed message of the kernel's")
			}
			if code := int32(binary.NativeEndian.Uint32(data)); code != 0 {
				return true, unix.Errno(-code)
			}
			return true, nil
		default:
			each(data)
		}
		buf = buf[min(len(buf), (size+3)&^3):]
	}
	return false, nil
}

// loadModules loads what the kernel would have had modprobe load, which images
// need not have.
func loadModules() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	dir := filepath.Join("/lib/modules", unix.ByteSliceToString(name.Release[:]), "kernel/net/ipv4")
	for _, module := range []string{"inet_diag.ko", "tcp_diag.ko"} {
		f, err := os.Open(filepath.Join(dir, module))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", module, err)
		}
	}
	return nil
}
