// Package share is the guest's end of the host's directories: it mounts each as a
// FUSE file system, and carries the kernel's messages to the host and the answers back.
//
// It makes nothing of them but where one ends. Where the host is gone, so is the file
// system: what uses it gets an error, and nobody waits.
//
// It is a process of its own, which starts no other. The service could be held up for
// ever: whoever starts a program waits until that is loaded, which may be from such a
// file system.
package share

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/guest/account"
)

// dialTimeout is for the supervisor to take a connection.
const dialTimeout = 30 * time.Second

// mountAll mounts directories of the host, in the order in which they are given.
func mountAll(mounts []agentapi.Mount, secret []byte) error {
	for i, m := range mounts {
		if err := mount(m, byte(i), secret); err != nil {
			return fmt.Errorf("mount the host's directory on %s: %w", m.Target, err)
		}
	}
	return nil
}

func mount(m agentapi.Mount, number byte, secret []byte) error {
	owner, err := account.Lookup("/etc", m.User)
	if err != nil {
		return err
	}
	host, err := dial(number, secret, owner)
	if err != nil {
		return err
	}
	device, err := mountFUSE(m)
	if err != nil {
		unix.Close(host)
		return err
	}
	var st unix.Statx_t // what the kernel knows by itself
	if err := unix.Statx(unix.AT_FDCWD, m.Target, unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st); err != nil {
		return fmt.Errorf("find the file system: %w", err)
	}
	go carry(device, host, st.Dev_minor)
	if _, err := os.Stat(m.Target); err != nil { // the host's answer, if it has one
		return fmt.Errorf("hear of the host: %w", err)
	}
	readAhead(st)
	return nil
}

// dial connects to the server of a directory. The descriptor is one that waits.
func dial(number byte, secret []byte, owner account.Account) (int, error) {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(agentapi.GatewayIP, strconv.Itoa(agentapi.SharePort)), dialTimeout)
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	if err := link.OfferShare(conn, secret, number); err != nil {
		return -1, err
	}
	ids := binary.BigEndian.AppendUint32(nil, owner.UID)
	if _, err := conn.Write(binary.BigEndian.AppendUint32(ids, owner.GID)); err != nil {
		return -1, err
	}
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return -1, err
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return fd, unix.SetNonblock(fd, false)
}

// fuseDevice is the kernel's, which has it where it has FUSE.
const fuseDevice = "/dev/fuse"

// mountFUSE mounts a file system whose messages come by the device that is returned.
func mountFUSE(m agentapi.Mount) (int, error) {
	device, err := unix.Open(fuseDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		err = errors.New("the kernel has no FUSE: take one with CONFIG_FUSE_FS")
	}
	if err != nil {
		return -1, err
	}
	if err := os.MkdirAll(m.Target, 0o755); err != nil {
		unix.Close(device)
		return -1, err
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if m.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", device)
	if err := unix.Mount("host", m.Target, "fuse.banger", flags, options); err != nil {
		unix.Close(device)
		return -1, err
	}
	return device, nil
}

// readAhead has the kernel ask for as much at a time as it may: the way is longer than
// a disk's.
func readAhead(st unix.Statx_t) {
	name := fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor)
	os.WriteFile(filepath.Join("/sys/class/bdi", name, "read_ahead_kb"), []byte("1024"), 0)
}
