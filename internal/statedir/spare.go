package statedir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Spare is room in a file system that is given up where it is full, for the little
// that has to be written all the same. It has no name: nothing is left of it.
type Spare struct {
	dir  string
	size int64
	file *os.File // nil where there is none
}

// NewSpare keeps size bytes in the file system of dir, as far as that has them.
func NewSpare(dir string, size int64) *Spare {
	s := &Spare{dir: dir, size: size}
	s.refill()
	return s
}

// Use calls write, and where the file system is full, once more without the spare.
func (s *Spare) Use(write func() error) error {
	err := write()
	if errors.Is(err, unix.ENOSPC) && s.file != nil {
		s.Close()
		return write()
	}
	if err == nil && s.file == nil {
		s.refill()
	}
	return err
}

func (s *Spare) refill() {
	file, err := os.OpenFile(s.dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	if unix.Fallocate(int(file.Fd()), 0, 0, s.size) != nil {
		file.Close()
		return
	}
	s.file = file
}

// Close gives the spare up.
func (s *Spare) Close() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}
