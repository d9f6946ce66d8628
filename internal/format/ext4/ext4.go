// Package ext4 writes a stream of files, in the form of tar headers, as an
// ext4 file system, and reads the files of an existing one.
//
// It works in one pass, unprivileged, and keeps no file's content in memory.
// The same entries and seed give the same bytes. The result is as large as
// what it holds, passes e2fsck without a complaint, and can be mounted and
// grown by the usual tools; it has neither a journal nor checksums, as it is
// meant to be shared read-only. Grow gives it what it needs to be written to.
// The package knows neither processes nor HTTP.
//
// The format is that of https://docs.kernel.org/filesystems/ext4/.
package ext4

import (
	"errors"
	"fmt"
	"io"
)

// The geometry: fixed, as only sizes between a few files' and a large image's
// are wanted.
const (
	blockSize      = 4096
	blocksPerGroup = 8 * blockSize // as many as a bitmap of one block has bits
	inodeSize      = 256
	inodesPerBlock = blockSize / inodeSize
	descSize       = 32
	descPerBlock   = blockSize / descSize

	// gdtReserve is how many blocks behind each superblock are kept free for
	// group descriptors, of which it is not known how many there will be.
	gdtReserve = 16
	superArea  = 1 + gdtReserve
	maxGroups  = gdtReserve * descPerBlock
	maxBlocks  = maxGroups * blocksPerGroup // 256 GiB

	rootInode     = 2
	firstInode    = 11 // the first that is not reserved
	maxName       = 255
	maxLinks      = 65000
	maxSymlink    = blockSize - 1
	fastSymlink   = 59 // bytes; longer targets have a block
	maxFileBlocks = 1<<32 - 2
	maxLabel      = 16
)

// ErrTooLarge says that the content does not fit: in Options.Limit, in the
// 256 GiB that the package can write, or in the 16 TiB of a file.
var ErrTooLarge = errors.New("too large")

// Options are a file system's.
type Options struct {
	Label string // at most 16 bytes
	Limit int64  // largest size of the result in bytes; 0 is what the package can do
}

// File is where a file system goes; an *os.File is one.
type File interface {
	io.WriterAt
	Truncate(size int64) error
}

// EntryError says what is wrong with an entry of the stream.
type EntryError struct {
	Name string
	Why  string
}

func (e *EntryError) Error() string { return fmt.Sprintf("entry %q %s", e.Name, e.Why) }
