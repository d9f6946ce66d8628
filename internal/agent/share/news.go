package share

import (
	"encoding/binary"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxNews is how many changes wait to be told, before all is taken for changed.
	maxNews = 64 << 10
	// gather is how long others are waited for, to be told with the first one.
	gather = 20 * time.Millisecond
)

// news are what others have changed and the guest has not been told of.
type news struct {
	mu   sync.Mutex
	all  map[change]bool // whether the name may lead elsewhere, or only the file is another
	lost bool            // there may be more
	some chan struct{}
}

func newNews() *news { return &news{all: map[change]bool{}, some: make(chan struct{}, 1)} }

func (n *news) hear(c change, name bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.all) < maxNews {
		n.all[c] = n.all[c] || name
	} else {
		n.lost = true
	}
	n.wake()
}

func (n *news) lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = true
	n.wake()
}

func (n *news) wake() {
	select {
	case n.some <- struct{}{}:
	default:
	}
}

func (n *news) take() (all map[change]bool, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all, lost = n.all, n.lost
	n.all, n.lost = map[change]bool{}, false
	return all, lost
}

// answers are those under way, which may tell of files as they were.
type answers struct {
	mu  sync.Mutex
	now *sync.WaitGroup
}

// begin notes one; it is over when the result was called.
func (a *answers) begin() (over func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now.Add(1)
	return a.now.Done
}

// settle returns when all are over that have begun by now.
func (a *answers) settle() {
	a.mu.Lock()
	before := a.now
	a.now = new(sync.WaitGroup)
	a.mu.Unlock()
	before.Wait()
}

// tellNews tells the guest's kernel what to believe no more, until ended. An answer
// that was made before a change goes out before the news of it.
func (s *stream) tellNews(ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-s.share.news.some:
		}
		select {
		case <-ended:
			return
		case <-time.After(gather):
		}
		all, lost := s.share.news.take()
		s.answers.settle()
		if lost {
			s.share.doubt(s.write)
		}
		for c, name := range all {
			s.share.tell(c, name, s.write)
		}
	}
}

// tell says that a change was made. That the stream has ended its reader finds out.
func (s *share) tell(c change, name bool, write func([]byte) error) {
	dir := s.nodes.of(c.dir)
	if dir == nil {
		return
	}
	if name {
		write(entryNews(dir.id, c.name))
	}
	if name || c.name == "." {
		write(nodeNews(dir.id))
	}
	fd, err := s.openNode(dir)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if is, err := identifyAt(fd, c.name); err == nil {
		if n := s.nodes.of(is); n != nil {
			write(nodeNews(n.id))
		}
	}
}

// doubt says of all that the guest knows that it may have changed.
func (s *share) doubt(write func([]byte) error) {
	for _, at := range s.nodes.known() {
		if at.dir != nil {
			write(entryNews(at.dir.id, at.name))
		}
		write(nodeNews(at.node.id))
	}
}

// What the kernel is told of its own: see Linux's fuse.h.
const (
	newsOfNode  = 2 // FUSE_NOTIFY_INVAL_INODE
	newsOfEntry = 3 // FUSE_NOTIFY_INVAL_ENTRY
)

// nodeNews makes the kernel ask anew for a file's attributes, from which it sees whether it
// may keep what it holds of the file.
func nodeNews(id uint64) []byte {
	m := newsHead(newsOfNode, 24)
	m = binary.LittleEndian.AppendUint64(m, id)
	m = binary.LittleEndian.AppendUint64(m, ^uint64(0)) // of no bytes
	return binary.LittleEndian.AppendUint64(m, 0)
}

// entryNews makes the kernel ask anew what a name leads to.
func entryNews(dir uint64, name string) []byte {
	m := newsHead(newsOfEntry, 16+len(name)+1)
	m = binary.LittleEndian.AppendUint64(m, dir)
	m = binary.LittleEndian.AppendUint32(m, uint32(len(name)))
	m = binary.LittleEndian.AppendUint32(m, 0)
	return append(append(m, name...), 0)
}

func newsHead(kind uint32, body int) []byte {
	m := binary.LittleEndian.AppendUint32(make([]byte, 0, replySize+body), uint32(replySize+body))
	m = binary.LittleEndian.AppendUint32(m, kind)
	return binary.LittleEndian.AppendUint64(m, 0)
}
