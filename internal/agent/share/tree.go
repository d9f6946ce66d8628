package share

import (
	"sync"

	"golang.org/x/sys/unix"
)

// rootID is the directory's own number, which the protocol has.
const rootID = 1

const (
	// maxNodes is how many files the guest may know at a time: what its kernel has
	// forgotten does not count.
	maxNodes = 512 << 10
	// maxPlaces is how many names are remembered of a file that has several.
	maxPlaces = 4
	// maxDepth is how many directories deep a file may be.
	maxDepth = 2048
)

// identity is which file one is, whatever it is called: a number alone may have been
// another file's before.
type identity struct {
	device, inode uint64
	born          int64 // nanoseconds; 0 where the file system does not tell
}

func identify(st *unix.Statx_t) identity {
	born := st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	return identity{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino, born}
}

// node is a file that the guest knows by a number.
type node struct {
	id   uint64
	is   identity
	kind uint32 // S_IFDIR and its like

	// Below, the tree's lock guards.
	places  []place // where it was seen, the latest one last
	lookups uint64  // that the guest has to take back
	below   int     // places of other nodes that are in it
	open    []*handle
}

// place is a name in a directory.
type place struct {
	dir  *node
	name string
}

// tree is all that the guest knows.
type tree struct {
	root *node

	mu     sync.Mutex
	last   uint64 // number given
	byID   map[uint64]*node
	byFile map[identity]*node
}

func newTree(root identity) *tree {
	n := &node{id: rootID, is: root, kind: unix.S_IFDIR, lookups: 1}
	return &tree{
		root: n, last: rootID,
		byID: map[uint64]*node{rootID: n}, byFile: map[identity]*node{root: n},
	}
}

// get returns the node of a number, or nil where the guest was not given it.
func (t *tree) get(id uint64) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// of returns the node of a file that the guest knows, or nil.
func (t *tree) of(is identity) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byFile[is]
}

// dirOf returns the directory that a node was last seen in, or nil.
func (t *tree) dirOf(n *node) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(n.places) == 0 {
		return nil
	}
	return n.places[len(n.places)-1].dir
}

// known returns all nodes, each once for every place where it was seen, or with none.
func (t *tree) known() (all []seenAt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.byID {
		for _, at := range n.places {
			all = append(all, seenAt{node: n, place: at})
		}
		if len(n.places) == 0 {
			all = append(all, seenAt{node: n})
		}
	}
	return all
}

// seenAt is a node and where it was seen.
type seenAt struct {
	node *node
	place
}

// meet returns the node of a file that was found at a place, which the guest gets to
// know by that once more.
func (t *tree) meet(at place, st *unix.Statx_t) (*node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	is, kind := identify(st), uint32(st.Mode)&unix.S_IFMT
	n := t.byFile[is]
	if n == nil || n.kind != kind {
		if len(t.byID) >= maxNodes {
			return nil, unix.ENFILE
		}
		t.last++
		n = &node{id: t.last, is: is, kind: kind}
		t.byID[n.id], t.byFile[is] = n, n
	}
	n.lookups++
	if at.dir != nil {
		t.seen(n, at)
	}
	return n, nil
}

// seen notes where n is. A directory is in one place only.
func (t *tree) seen(n *node, at place) {
	if n == t.root || len(n.places) > 0 && n.places[len(n.places)-1] == at {
		return
	}
	at.dir.below++
	t.leave(n, at)
	limit := maxPlaces
	if n.kind == unix.S_IFDIR {
		limit = 1
	}
	if len(n.places) >= limit {
		t.leave(n, n.places[0])
	}
	n.places = append(n.places, at)
}

// leave forgets a place of n's, if it was one.
func (t *tree) leave(n *node, at place) {
	for i, p := range n.places {
		if p == at {
			n.places = append(n.places[:i:i], n.places[i+1:]...)
			p.dir.below--
			t.drop(p.dir)
			return
		}
	}
}

// moved notes that a name leads to what another led to.
func (t *tree) moved(from, to place, is identity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byFile[is]; n != nil {
		t.seen(n, to)
		t.leave(n, from)
	}
}

// removed notes that a place is none any more.
func (t *tree) removed(at place, is identity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byFile[is]; n != nil {
		t.leave(n, at)
	}
}

// forget takes lookups of the guest's back.
func (t *tree) forget(id, lookups uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byID[id]
	if n == nil || n == t.root {
		return
	}
	n.lookups -= min(n.lookups, lookups)
	t.drop(n)
}

// drop forgets a node that is of no use any more, and what it alone kept.
func (t *tree) drop(n *node) {
	for n != t.root && n.lookups == 0 && n.below == 0 && len(n.open) == 0 && t.byID[n.id] == n {
		delete(t.byID, n.id)
		if t.byFile[n.is] == n {
			delete(t.byFile, n.is)
		}
		var next *node
		for _, p := range n.places {
			p.dir.below--
			if next == nil {
				next = p.dir
			} else {
				t.drop(p.dir)
			}
		}
		if n.places = nil; next == nil {
			return
		}
		n = next
	}
}

// ways returns the names that lead from the root to n's places, the latest first.
func (t *tree) ways(n *node) (ways [][]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n == t.root {
		return [][]string{nil}
	}
	for i := len(n.places) - 1; i >= 0; i-- {
		if way := t.way(n.places[i]); way != nil {
			ways = append(ways, way)
		}
	}
	return ways
}

// way returns the names that lead to a place, or nil where none do: what the host
// moves about may seem to be below itself.
func (t *tree) way(at place) []string {
	names := []string{at.name}
	for dir := at.dir; dir != t.root; dir = dir.places[0].dir {
		if len(dir.places) == 0 || len(names) == maxDepth {
			return nil
		}
		names = append(names, dir.places[0].name)
	}
	return names
}

// opened and closed keep count of a node's open files.
func (t *tree) opened(n *node, h *handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n.open = append(n.open, h)
}

func (t *tree) closed(n *node, h *handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range n.open {
		if n.open[i] == h {
			n.open = append(n.open[:i:i], n.open[i+1:]...)
			break
		}
	}
	t.drop(n)
}
