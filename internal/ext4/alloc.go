package ext4

import (
	"os"
)

// bufferSize is how much is written at once.
const bufferSize = 1 << 20

// run is a number of consecutive blocks.
type run struct{ start, count uint32 }

// allocator hands out blocks one after another and writes them in that order,
// leaving out the places of superblocks. Nothing is ever written twice before
// Close.
type allocator struct {
	file  *os.File
	limit int64
	next  uint32 // the next block to hand out
	buf   []byte // content of the blocks before next
	freed []run
}

func newAllocator(f *os.File, limit int64) *allocator {
	a := &allocator{file: f, limit: limit, buf: make([]byte, 0, bufferSize)}
	a.next = 1 + gdtReserve
	return a
}

// hasSuper tells whether a group begins with a superblock: the first, and the
// powers of 3, 5 and 7 (sparse_super).
func hasSuper(group uint32) bool {
	if group <= 1 {
		return true
	}
	for _, base := range []uint32{3, 5, 7} {
		power := base
		for power < group {
			power *= base
		}
		if power == group {
			return true
		}
	}
	return false
}

// write stores one block and returns its number.
func (a *allocator) write(block []byte) (uint32, error) {
	if a.next%blocksPerGroup == 0 && hasSuper(a.next/blocksPerGroup) {
		if err := a.flush(); err != nil {
			return 0, err
		}
		a.next += 1 + gdtReserve
	}
	if int64(a.next) >= a.limit {
		return 0, ErrTooLarge
	}
	a.buf = append(a.buf, block...)
	number := a.next
	a.next++
	if len(a.buf) == cap(a.buf) {
		return number, a.flush()
	}
	return number, nil
}

// flush writes what is buffered to its place, just before next.
func (a *allocator) flush() error {
	_, err := a.file.WriteAt(a.buf, int64(a.next)*blockSize-int64(len(a.buf)))
	a.buf = a.buf[:0]
	return err
}

func (a *allocator) free(runs []run) { a.freed = append(a.freed, runs...) }

// appendRun adds a block to the runs of its owner.
func appendRun(runs []run, block uint32) []run {
	if last := len(runs) - 1; last >= 0 && runs[last].start+runs[last].count == block {
		runs[last].count++
		return runs
	}
	return append(runs, run{block, 1})
}
