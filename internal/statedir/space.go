package statedir

import (
	"fmt"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// NoSpaceError says that writing on would leave a file system with less than
// its reserve. It is a syscall.ENOSPC, found out before it hurts others.
type NoSpaceError struct {
	Dir        string
	Need, Free int64 // bytes; what is free beside the reserve
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("%v: %d MiB are needed, %d MiB are left beside the reserve", syscall.ENOSPC, (e.Need+1<<20-1)>>20, e.Free>>20)
}

// Is makes the error one of a full disk.
func (e *NoSpaceError) Is(target error) bool { return target == syscall.ENOSPC }

const (
	// maxReserve is the most that is left free for others.
	maxReserve = 256 << 20
	// roomStep is how much is written between two looks at what is free.
	roomStep = 16 << 20
)

// CheckSpace returns a *NoSpaceError where n more bytes do not fit into the file
// system of dir beside its reserve.
func CheckSpace(dir string, n int64) error {
	r := &Room{Dir: dir}
	return r.Take(n)
}

// Room watches the free space of a directory's file system while something is
// written there. It is for one goroutine.
type Room struct {
	Dir  string
	left int64 // until it looks again
}

// Take returns a *NoSpaceError where the next n bytes should not be written.
func (r *Room) Take(n int64) error {
	if r.left -= n; r.left >= 0 {
		return nil
	}
	var st unix.Statfs_t
	if known := unix.Statfs(r.Dir, &st) == nil && st.Blocks > 0; !known {
		return nil // the write will tell
	}
	block := st.Bsize
	reserve := min(int64(st.Blocks)*block/20, maxReserve)
	free := max(0, int64(st.Bavail)*block-reserve)
	r.left = 0
	if n > free {
		return &NoSpaceError{r.Dir, n, free}
	}
	r.left = min(free-n, roomStep)
	return nil
}

// Writer asks the room before it writes to w.
func (r *Room) Writer(w io.Writer) io.Writer { return &roomWriter{r, w} }

type roomWriter struct {
	room *Room
	w    io.Writer
}

func (w *roomWriter) Write(p []byte) (int, error) {
	if err := w.room.Take(int64(len(p))); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
