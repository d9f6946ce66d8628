package statedir

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tally adds up what files take of the disk. Holes take nothing, and what several
// files have in common, by hard links or by shared blocks, counts once.
type Tally struct {
	seen   map[inode]bool
	shared map[uint64][]span // blocks that several files have, by device; sorted, apart
}

type inode struct{ dev, ino uint64 }

// span is from a byte of a device to before another.
type span struct{ from, to uint64 }

// Add returns how many bytes more it is with all that is below path, which may be
// absent. What goes or cannot be looked at meanwhile counts nothing.
func (t *Tally) Add(path string) (bytes int64) {
	filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // see above
		}
		if info, err := d.Info(); err == nil {
			bytes += t.addFile(path, info)
		}
		return nil
	})
	return bytes
}

func (t *Tally) addFile(path string, info fs.FileInfo) int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.Size()
	}
	id := inode{st.Dev, st.Ino}
	if t.seen[id] {
		return 0
	}
	if t.seen == nil {
		t.seen, t.shared = map[inode]bool{}, map[uint64][]span{}
	}
	t.seen[id] = true
	bytes := st.Blocks * 512
	if !info.Mode().IsRegular() || bytes == 0 {
		return bytes
	}
	for _, s := range sharedSpans(path) {
		bytes -= int64(s.to - s.from)
		bytes += int64(t.share(st.Dev, s))
	}
	return max(bytes, 0)
}

// share adds blocks that several files have, and returns how many bytes of them were
// not known yet.
func (t *Tally) share(dev uint64, s span) (fresh uint64) {
	known := t.shared[dev]
	i, _ := slices.BinarySearchFunc(known, s.from, func(k span, at uint64) int {
		if k.to < at {
			return -1
		}
		return 1
	})
	fresh = s.to - s.from
	end := i
	for ; end < len(known) && known[end].from <= s.to; end++ { // they touch
		k := known[end]
		if from, to := max(k.from, s.from), min(k.to, s.to); to > from {
			fresh -= to - from
		}
		s.from, s.to = min(s.from, k.from), max(s.to, k.to)
	}
	t.shared[dev] = slices.Replace(known, i, end, s)
	return fresh
}

// The fiemap of linux/fiemap.h, by which a file system tells where files are.
const (
	fiemapIoctl    = 0xc020660b // FS_IOC_FIEMAP
	extentLast     = 0x1
	extentShared   = 0x2000
	extentsAtATime = 128
)

type extent struct {
	logical, physical, length uint64
	_                         [2]uint64
	flags                     uint32
	_                         [3]uint32
}

type fiemap struct {
	start, length uint64
	flags         uint32
	mapped        uint32
	count         uint32
	_             uint32
	extents       [extentsAtATime]extent
}

// sharedSpans returns where a file's blocks are that others have too. Most file
// systems share none, and some do not tell.
func sharedSpans(path string) (spans []span) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for at := uint64(0); ; {
		m := fiemap{start: at, length: ^uint64(0) - at, count: extentsAtATime}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fiemapIoctl, uintptr(unsafe.Pointer(&m)))
		if errno != 0 || m.mapped == 0 {
			return spans
		}
		for _, e := range m.extents[:min(m.mapped, extentsAtATime)] {
			if e.flags&extentShared != 0 {
				spans = append(spans, span{e.physical, e.physical + e.length})
			}
			if e.flags&extentLast != 0 || e.logical+e.length <= at {
				return spans
			}
			at = e.logical + e.length
		}
	}
}
