package share

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watched is what the host's kernel is asked to tell of a directory and of what is in
// it.
const (
	namesChange = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO
	filesChange = unix.FAN_MODIFY | unix.FAN_ATTRIB | unix.FAN_CLOSE_WRITE // the last for what was written through a mapping
	watched     = namesChange | filesChange | unix.FAN_DELETE_SELF | unix.FAN_EVENT_ON_CHILD | unix.FAN_ONDIR
)

// maxWatched is how many directories are watched at a time.
const maxWatched = 32 << 10

// change is what another process has changed: what a name in a directory leads to,
// or the file that it leads to.
type change struct {
	dir  identity
	name string // "." is the directory itself
}

// watcher hears from the host's kernel of what other processes change in
// directories. A nil one watches nothing.
type watcher struct {
	fd   int      // fanotify's
	file *os.File // the same

	mu       sync.RWMutex
	dirs     map[identity]string // their handles, "" of those that cannot be watched
	byHandle map[string]identity
}

// newWatcher returns nil where Linux tells an ordinary process of nothing: before 5.13.
func newWatcher() *watcher {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_REPORT_DFID_NAME, unix.O_RDONLY)
	if err != nil {
		return nil
	}
	return &watcher{fd: fd, file: os.NewFile(uintptr(fd), "fanotify"), dirs: map[identity]string{}, byHandle: map[string]identity{}}
}

// close ends listen.
func (w *watcher) close() {
	if w != nil {
		w.file.Close()
	}
}

// has reports whether a directory is watched.
func (w *watcher) has(n *node) bool {
	if w == nil || n == nil {
		return false
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.dirs[n.is] != ""
}

// add watches a directory, by a descriptor of it, unless it was tried before.
func (w *watcher) add(n *node, fd int) {
	if w == nil || n.kind != unix.S_IFDIR {
		return
	}
	w.mu.RLock()
	_, tried := w.dirs[n.is]
	full := len(w.dirs) >= maxWatched
	w.mu.RUnlock()
	if tried || full {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := w.watch(fd)
	w.dirs[n.is] = key
	if key != "" {
		w.byHandle[key] = n.is
	}
}

// watch returns the handle by which the kernel tells of a directory, or "".
func (w *watcher) watch(fd int) string {
	if !tellsAll(fd) {
		return ""
	}
	handle, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return ""
	}
	if unix.FanotifyMark(w.fd, unix.FAN_MARK_ADD|unix.FAN_MARK_ONLYDIR, watched, fd, ".") != nil {
		return ""
	}
	return handleKey(handle.Type(), handle.Bytes())
}

// tellsAll reports whether a file system is one that only this machine changes, and
// by its files' names.
func tellsAll(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	switch st.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

func handleKey(kind int32, handle []byte) string {
	return string(binary.NativeEndian.AppendUint32(nil, uint32(kind))) + string(handle)
}

// listen hears of changes until the watcher is closed: hear of each, and lost of that
// the kernel has dropped some.
func (w *watcher) listen(hear func(c change, name bool), lost func()) {
	buf := make([]byte, 64<<10)
	self := int32(os.Getpid())
	for {
		n, err := w.file.Read(buf)
		if err != nil {
			return
		}
		for rest := buf[:n]; len(rest) >= eventHead; {
			size := binary.NativeEndian.Uint32(rest)
			if size < eventHead || int(size) > len(rest) {
				return
			}
			event := rest[:size]
			rest = rest[size:]
			mask := binary.NativeEndian.Uint64(event[8:])
			if mask&unix.FAN_Q_OVERFLOW != 0 {
				lost()
				continue
			}
			c, known := w.place(event[eventHead:])
			switch {
			case !known:
			case mask&unix.FAN_DELETE_SELF != 0:
				w.forget(c.dir)
			case int32(binary.NativeEndian.Uint32(event[20:])) != self:
				hear(c, mask&namesChange != 0)
			}
		}
	}
}

// An event, see fanotify(7): its length, a version, its mask at 8, a descriptor, and
// whose it is at 20. Behind that is what it is about: its kind, a byte, at 2 its length,
// a file system's number, at 12 a handle's length and kind, the handle, and a name with
// a zero at its end.
const (
	eventHead = 24
	aboutHead = 20
)

// place returns what an event is about.
func (w *watcher) place(about []byte) (c change, known bool) {
	if len(about) < aboutHead || about[0] != unix.FAN_EVENT_INFO_TYPE_DFID_NAME {
		return c, false
	}
	size := binary.NativeEndian.Uint32(about[12:])
	rest := about[aboutHead:]
	if int(size) > len(rest) {
		return c, false
	}
	w.mu.RLock()
	c.dir, known = w.byHandle[handleKey(int32(binary.NativeEndian.Uint32(about[16:])), rest[:size])]
	w.mu.RUnlock()
	name, _, _ := bytes.Cut(rest[size:], []byte{0})
	c.name = string(name)
	return c, known
}

// forget takes a directory for removed.
func (w *watcher) forget(dir identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byHandle, w.dirs[dir])
	delete(w.dirs, dir)
}
