package statedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// What a Watcher hears of.
const (
	Entries = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_MOVE_SELF | unix.IN_DELETE_SELF |
		unix.IN_CLOSE_WRITE // which locks end with too
	Writes = Entries | unix.IN_MODIFY
)

// Watcher says when something in a directory changed, and not what: who waits
// looks for himself. It sees changes of this host's processes.
type Watcher struct {
	events *os.File
	again  bool // a look is due that no event asks for
}

// settle is after what time there is another look: the kernel says of a file that
// it is closed before it takes the locks away.
const settle = 50 * time.Millisecond

// Watch begins to watch a directory for kinds of changes.
func Watch(dir string, kinds uint32) (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &Watcher{events: os.NewFile(uintptr(fd), "inotify")}
	if err := w.Add(dir, kinds); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Add watches another directory too.
func (w *Watcher) Add(dir string, kinds uint32) error {
	conn, err := w.events.SyscallConn()
	if err != nil {
		return err
	}
	var addErr error
	err = conn.Control(func(fd uintptr) { _, addErr = unix.InotifyAddWatch(int(fd), dir, kinds|unix.IN_ONLYDIR) })
	if err := errors.Join(err, addErr); err != nil {
		return &os.PathError{Op: "watch", Path: dir, Err: err}
	}
	return nil
}

// Wait returns when something may have changed since the Wait before, or when ctx
// ends, which is the error.
func (w *Watcher) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { w.events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	w.events.SetReadDeadline(time.Time{})
	if w.again {
		w.events.SetReadDeadline(time.Now().Add(settle))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := w.events.Read(make([]byte, 64<<10))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.again = false
		return nil
	case err != nil:
		return fmt.Errorf("watch: %w", err)
	}
	w.again = true
	return nil
}

// Close ends the watch.
func (w *Watcher) Close() error { return w.events.Close() }
