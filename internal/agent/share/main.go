package share

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"banger/internal/jail"
)

// The descriptors that Main is given.
const (
	dirFD  = 3 // the directory
	connFD = 4 // what is joined to the guest
)

const (
	// memoryLimit is where the garbage collector gets busy, in bytes: what is in use has
	// bounds of its own.
	memoryLimit = 192 << 20
	mostFiles   = 16 << 10
)

// Main serves a directory in a process of its own, which gives up all else, until the
// guest is gone.
func Main(readOnly bool, notes io.Writer) error {
	dir := os.NewFile(dirFD, "the shared directory")
	file := os.NewFile(connFD, "the guest's connection")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return err
	}
	log.SetOutput(io.Discard) // of go-fuse, which a guest could fill
	unix.Umask(0)             // the guest's kernel has taken its own off
	debug.SetMemoryLimit(memoryLimit)
	files, err := limitFiles()
	if err != nil {
		return fmt.Errorf("limit the open files: %w", err)
	}
	logger := log.New(notes, "", 0)
	switch err := jail.Confine(dir, readOnly); {
	case errors.Is(err, jail.ErrNoLandlock):
		logger.Printf("warning: a shared directory is served by a process that could reach other files: %v", err)
	case err != nil:
		return err
	}
	return Serve(conn, dir, Options{ReadOnly: readOnly, Files: files, Log: logger})
}

// limitFiles sets how many files this process may have open, and returns how many of
// them may be the guest's: each message under way takes a few.
func limitFiles() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	limit.Max = min(limit.Max, mostFiles)
	limit.Cur = limit.Max
	const spare = 4*atOnce + 32
	if limit.Cur < 2*spare {
		return 0, fmt.Errorf("%d are allowed, and %d are needed", limit.Cur, 2*spare)
	}
	return int(limit.Cur - spare), unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}
