// Package logfile keeps logs whose lines somebody else decides on, such as a
// guest: bounded on disk, in memory and in time.
//
// Writing never fails and never waits for more than the disk: a log that cannot
// be written must not stop what it is about.
package logfile

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// File is a log of a bounded size. When it is full, its older half goes.
type File struct {
	mu   sync.Mutex
	file *os.File
	max  int64
	size int64

	followers []*follower
}

// Create returns an empty log at path.
func Create(path string, limit int64) (*File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return New(file, limit), nil
}

// New returns a log of limit bytes in file, which is open for reading and
// writing, and closed by Close. What it holds stays.
func New(file *os.File, limit int64) *File {
	f := &File{file: file, max: limit}
	if info, err := file.Stat(); err == nil {
		f.size = info.Size()
	}
	f.reserve()
	return f
}

// reserved is what a log has of the disk beforehand, in bytes: that the disk is
// full is written to it too.
const reserved = 64 << 10

func (f *File) reserve() {
	unix.Fallocate(int(f.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, f.size, min(reserved, f.max)) // or not
}

// Write implements io.Writer. It writes all, or says so.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.followers {
		o.hear(p)
	}
	for rest := p; len(rest) > 0; {
		if f.size >= f.max {
			f.halve()
		}
		part := rest[:min(int64(len(rest)), max(f.max-f.size, 1))]
		n, err := f.writeAt(part, f.size)
		f.size += int64(n)
		if err != nil {
			break
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// halve moves the newer half to the beginning.
func (f *File) halve() {
	keep := make([]byte, f.max/2)
	n, _ := f.file.ReadAt(keep, max(f.size-int64(len(keep)), 0))
	f.size = 0
	if f.file.Truncate(0) != nil {
		return // the next bytes take the place of the first
	}
	written, _ := f.writeAt(keep[:n], 0)
	f.size = int64(written)
	f.reserve()
}

// writeAt writes at the file's end. One that was opened to be appended to, as a
// program's standard error is, os.File does not let us write to in this way.
func (f *File) writeAt(p []byte, end int64) (int, error) {
	n, err := unix.Pwrite(int(f.file.Fd()), p, end)
	return max(n, 0), err
}

// Size is how many bytes the log has now.
func (f *File) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
