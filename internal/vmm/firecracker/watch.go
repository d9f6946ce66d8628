package firecracker

import (
	"bytes"
	"context"
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileWatch waits for a file to be made.
type fileWatch struct {
	events *os.File
	name   string
}

// awaitFile watches dir, from now on.
func awaitFile(dir, name string) (*fileWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		events.Close()
		return nil, &os.PathError{Op: "watch", Path: dir, Err: err}
	}
	return &fileWatch{events, name}, nil
}

func (w *fileWatch) close() { w.events.Close() }

// wait returns when the file has been made.
func (w *fileWatch) wait(ctx context.Context) error {
	defer context.AfterFunc(ctx, w.close)()
	buf := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		n, err := w.events.Read(buf)
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			event := (*unix.InotifyEvent)(unsafe.Pointer(&rest[0]))
			end := unix.SizeofInotifyEvent + int(event.Len)
			if string(bytes.TrimRight(rest[unix.SizeofInotifyEvent:end], "\x00")) == w.name {
				return nil
			}
			rest = rest[end:]
		}
	}
}
