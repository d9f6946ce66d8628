package supervisor

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/process"
	"banger/internal/usernet"
	"banger/internal/vm"
)

// ReadOnlyFlag follows Options.Share where a directory is not to be changed.
const ReadOnlyFlag = "read-only"

// errShared says why a guest that runs cannot be saved: its kernel knows files by
// numbers that no other server would have given them.
var errShared = errors.New("it has directories of the host mounted: stop it first")

// shares are the directories of the host that the guest has. Each is served by a
// process of its own, which this one only joins to the guest.
type shares struct {
	listener  net.Listener
	secret    []byte
	strangers strangers
	servers   []*fileServer
}

// openShares starts the servers of all directories, and waits for the guest to connect to
// them. It returns nil if there are none. Along with an error it returns what has to be
// closed.
func (s *supervisor) openShares(mounts []vm.Mount, network *usernet.Network, secret []byte) (*shares, error) {
	if len(mounts) == 0 {
		return nil, nil
	}
	all := &shares{secret: secret}
	for _, m := range mounts {
		server, err := s.serveFiles(m)
		if err != nil {
			return all, err
		}
		all.servers = append(all.servers, server)
	}
	listener, err := network.Listen(agentapi.SharePort)
	if err != nil {
		return all, err
	}
	all.listener = listener
	go all.strangers.meetAll(listener, all.meet)
	return all, nil
}

func mountSettings(mounts []vm.Mount) (settings []agentapi.Mount) {
	for _, m := range mounts {
		settings = append(settings, agentapi.Mount{Target: m.Target, ReadOnly: m.ReadOnly, User: cmp.Or(m.User, "root")})
	}
	return settings
}

// meet joins what connected to the server that it asks for, once it has proved that it is
// the agent. Each server is joined once.
func (a *shares) meet(conn net.Conn) {
	defer conn.Close()
	number, err := link.AcceptShare(conn, a.secret, proofTime)
	a.strangers.remove(conn)
	if err != nil || int(number) >= len(a.servers) {
		return
	}
	a.servers[number].join(conn)
}

func (a *shares) close() {
	if a == nil {
		return
	}
	if a.listener != nil {
		a.listener.Close()
	}
	a.strangers.close()
	for _, server := range a.servers {
		server.close()
	}
}

// fileServer is the process that serves a directory.
type fileServer struct {
	child  *process.Child
	conn   net.Conn // to it
	joined sync.Once
}

// serveFiles starts the server of a directory, which ends with this process.
func (s *supervisor) serveFiles(m vm.Mount) (*fileServer, error) {
	dir, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	ours, theirs, err := vm.SocketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	args := append([]string{}, s.Share...)
	if m.ReadOnly {
		args = append(args, "--"+ReadOnlyFlag)
	}
	child, err := process.Start(context.Background(), process.Cmd{
		Args: args, Env: []string{}, Dir: "/", Stderr: s.Log, Files: []*os.File{dir, theirs},
	})
	if err != nil {
		ours.Close()
		return nil, err
	}
	return &fileServer{child: child, conn: ours}, nil
}

func (f *fileServer) close() {
	f.conn.Close()
	f.child.Kill()
	f.child.Wait()
}

// carrySize is more than most messages have, in bytes.
const carrySize = 128 << 10

// join carries what guest and server say to each other. The end of either is the end
// of both.
func (f *fileServer) join(guest net.Conn) {
	f.joined.Do(func() {
		var outward sync.WaitGroup
		outward.Go(func() {
			io.CopyBuffer(guest, f.conn, make([]byte, carrySize))
			guest.Close()
		})
		io.CopyBuffer(f.conn, guest, make([]byte, carrySize))
		f.conn.Close()
		outward.Wait()
	})
}
