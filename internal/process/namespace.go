package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownNetwork puts a child into new namespaces. It keeps its user's number there
// and so loses all capabilities when it runs its program, but for the ambient
// ones: to set up devices, to open raw sockets, and to give up capabilities.
func ownNetwork(attr *syscall.SysProcAttr) {
	attr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNET
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	attr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SETPCAP}
}
