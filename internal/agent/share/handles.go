package share

import (
	"sync"

	"golang.org/x/sys/unix"
)

// handle is an open file of the guest's.
type handle struct {
	fd   int
	node *node
	dir  bool

	users   int        // guarded by the lock of all handles
	reading sync.Mutex // of a directory, which one at a time goes through
	at      uint64     // where that one is
}

// handles are all of them, by the numbers that the guest was given.
type handles struct {
	limit int

	mu   sync.Mutex
	last uint64
	all  map[uint64]*handle
}

func newHandles(limit int) *handles { return &handles{limit: limit, all: map[uint64]*handle{}} }

// add gives an open file a number. The descriptor is the handle's then.
func (h *handles) add(f *handle) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) >= h.limit {
		return 0, unix.ENFILE
	}
	h.last++
	f.users = 1
	h.all[h.last] = f
	return h.last, nil
}

// use returns the open file of a number that the guest was given for this node, and
// keeps it open until done.
func (h *handles) use(id, node uint64, dir bool) (*handle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.all[id]
	if f == nil || f.node.id != node || f.dir != dir {
		return nil, unix.EBADF
	}
	f.users++
	return f, nil
}

// done ends a use, and closes what is used no more.
func (h *handles) done(f *handle) {
	h.mu.Lock()
	f.users--
	last := f.users == 0
	h.mu.Unlock()
	if last {
		unix.Close(f.fd)
	}
}

// remove takes a number back.
func (h *handles) remove(id, node uint64, dir bool) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.all[id]
	if f == nil || f.node.id != node || f.dir != dir {
		return nil
	}
	delete(h.all, id)
	return f
}

// keep makes a handle of an open descriptor, which is closed where that fails.
func (s *share) keep(fd int, n *node, dir bool) (uint64, error) {
	f := &handle{fd: fd, node: n, dir: dir}
	s.nodes.opened(n, f)
	id, err := s.files.add(f)
	if err != nil {
		s.nodes.closed(n, f)
		unix.Close(fd)
	}
	return id, err
}

// release closes one of the guest's handles.
func (s *share) release(id, node uint64, dir bool) {
	f := s.files.remove(id, node, dir)
	if f == nil {
		return
	}
	s.nodes.closed(f.node, f)
	s.files.done(f)
}

// openByHandle finds the file of a node that has no name any more and is open. The
// descriptor is of the file as it is open.
func (s *share) openByHandle(n *node) (int, error) {
	s.files.mu.Lock()
	defer s.files.mu.Unlock()
	s.nodes.mu.Lock()
	defer s.nodes.mu.Unlock()
	for _, f := range n.open {
		if f.users > 0 {
			return unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 0)
		}
	}
	return -1, unix.ESTALE
}
