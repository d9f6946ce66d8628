package statedir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("locked by another process")

// Lock is a lock on a file, held until Release, Remove or the process's end: it
// excludes all others, or those of ReadLockSoon share it. It is an open file
// description lock: it can be looked at without being taken, and goroutines
// exclude each other too.
type Lock struct {
	file *os.File
}

// TryLock takes the lock at path, which is made where absent; the error is
// ErrLocked where another holds it.
func TryLock(path string) (*Lock, error) {
	return take(context.Background(), path, unix.F_OFD_SETLK, unix.F_WRLCK)
}

// WaitLock takes the lock at path as soon as nobody else holds it. It gives up
// when ctx ends.
func WaitLock(ctx context.Context, path string) (*Lock, error) {
	return waitLock(ctx, path, unix.F_WRLCK)
}

func waitLock(ctx context.Context, path string, kind int16) (*Lock, error) {
	type result struct {
		lock *Lock
		err  error
	}
	done := make(chan result, 1)
	go func() {
		lock, err := take(ctx, path, unix.F_OFD_SETLKW, kind)
		done <- result{lock, err}
	}()
	select {
	case r := <-done:
		return r.lock, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.lock != nil {
				r.lock.Release()
			}
		}()
		return nil, ctx.Err()
	}
}

// aMoment is how long a lock is waited for that is held for less than that, or
// for long.
const aMoment = 2 * time.Second

// LockSoon takes the lock at path from who holds it for a moment, such as to
// sweep up. The error is ErrLocked where it is held for longer.
func LockSoon(ctx context.Context, path string) (*Lock, error) {
	return lockSoon(ctx, path, unix.F_WRLCK)
}

// ReadLockSoon is LockSoon for a lock that others may share, who take it in the
// same way.
func ReadLockSoon(ctx context.Context, path string) (*Lock, error) {
	return lockSoon(ctx, path, unix.F_RDLCK)
}

func lockSoon(ctx context.Context, path string, kind int16) (*Lock, error) {
	if lock, err := take(ctx, path, unix.F_OFD_SETLK, kind); !errors.Is(err, ErrLocked) {
		return lock, err
	}
	moment, cancel := context.WithTimeout(ctx, aMoment)
	defer cancel()
	lock, err := waitLock(moment, path, kind)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = ErrLocked
	}
	return lock, err
}

// Locked reports whether a living process holds the lock at path. Where that cannot be
// known one may: what nobody holds is swept up.
func Locked(path string) bool {
	f, err := os.Open(path) // for reading only: a Watcher hears of the others
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk)
	return err != nil || lk.Type != unix.F_UNLCK
}

// Release lets the lock go and leaves its file. There need not be one.
func (l *Lock) Release() {
	if l != nil && l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// Remove deletes the lock's file and lets the lock go.
func (l *Lock) Remove() {
	if l.file != nil {
		os.Remove(l.file.Name())
		l.Release()
	}
}

func (l *Lock) released() bool { return l.file == nil }

// take opens and locks path until the locked file is the one at path: a holder
// before may have removed or moved it in between. Once ctx has ended it makes
// no new file, which nobody would remove.
func take(ctx context.Context, path string, cmd int, kind int16) (*Lock, error) {
	for ctx.Err() == nil {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		if err := lockFile(f, cmd, kind); err != nil {
			f.Close()
			return nil, err
		}
		same, err := isAt(f, path)
		if err == nil && same {
			return &Lock{file: f}, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, ctx.Err()
}

func lockFile(f *os.File, cmd int, kind int16) error {
	lk := unix.Flock_t{Type: kind}
	for {
		err := unix.FcntlFlock(f.Fd(), cmd, &lk)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES):
			return ErrLocked
		case err != nil:
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		return nil
	}
}

func isAt(f *os.File, path string) (bool, error) {
	held, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(held, there), nil
}
