package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// blockSize is what a sparse file saves in units of. Holes of a page each
	// would make thousands of extents of a file, which take long to flush.
	blockSize = 64 << 10
	chunkSize = 2 * blockSize // read and written at once
	// aheadSize is how much of a file the kernel is told at once to begin to write to
	// the disk, so that little is left when somebody waits for it.
	aheadSize = 8 << 20
)

var zeros [blockSize]byte

func allZero(p []byte) bool {
	for len(p) > blockSize {
		if !bytes.Equal(p[:blockSize], zeros[:]) {
			return false
		}
		p = p[blockSize:]
	}
	return bytes.Equal(p, zeros[:len(p)])
}

// content writes the content of files.
type content struct {
	buffer []byte
	room   func(int64) error // or nil
}

// write makes the file name of r's size bytes and returns their SHA-256. Blocks
// of zeros become holes.
func (c *content) write(root *os.Root, name string, size int64, r io.Reader) (digest string, err error) {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	digester := sha256.New()
	for at := int64(0); at < size; {
		chunk := c.buffer[:min(size-at, chunkSize)]
		if _, err := io.ReadFull(r, chunk); err != nil {
			return "", err
		}
		if c.room != nil {
			if err := c.room(int64(len(chunk))); err != nil {
				return "", err
			}
		}
		hashed := hashAside(digester, chunk)
		err := writeSparse(f, chunk, at)
		<-hashed
		if err != nil {
			return "", err
		}
		at += int64(len(chunk))
		if at%aheadSize == 0 {
			writeAhead(f, at-aheadSize)
		}
	}
	if err := f.Truncate(size); err != nil {
		return "", err
	}
	return hex.EncodeToString(digester.Sum(nil)), nil
}

// writeAhead has the kernel begin to write what is at from to the disk. Where it does
// not, whoever flushes the file waits for longer.
func writeAhead(f *os.File, from int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, aheadSize, unix.SYNC_FILE_RANGE_WRITE)
}

// hashAside hashes a chunk while it is written, and tells when it is done. A
// small one is not worth a goroutine.
func hashAside(h hash.Hash, chunk []byte) <-chan struct{} {
	done := make(chan struct{})
	work := func() {
		h.Write(chunk)
		close(done)
	}
	if len(chunk) < chunkSize {
		work()
	} else {
		go work()
	}
	return done
}

// writeSparse writes the runs of blocks in chunk that are not zero.
func writeSparse(f *os.File, chunk []byte, at int64) error {
	for len(chunk) > 0 {
		hole := run(chunk, true)
		data := run(chunk[hole:], false)
		if data > 0 {
			if _, err := f.WriteAt(chunk[hole:hole+data], at+int64(hole)); err != nil {
				return err
			}
		}
		chunk, at = chunk[hole+data:], at+int64(hole+data)
	}
	return nil
}

// run returns the length of chunk's first blocks that are zero, or that are
// not.
func run(chunk []byte, zero bool) int {
	n := 0
	for n < len(chunk) {
		block := chunk[n:min(n+blockSize, len(chunk))]
		if allZero(block) != zero {
			break
		}
		n += len(block)
	}
	return n
}
