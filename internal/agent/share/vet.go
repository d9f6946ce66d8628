package share

import (
	"bytes"
	"encoding/binary"
	"math"

	"golang.org/x/sys/unix"
)

// Messages are as linux/fuse.h of protocol 7.31 and later has them, little-endian.
const (
	headSize   = 40 // of a message, in bytes
	replySize  = 16 // of what begins an answer
	maxData    = 1 << 20
	maxMessage = maxData + 4096
	maxXattr   = 64 << 10
	// smallReply is more than any answer but those whose size the guest chooses.
	smallReply = 8 << 10
)

// The operations that are served. The kernel does without the others.
const (
	opLookup        = 1
	opForget        = 2
	opGetattr       = 3
	opSetattr       = 4
	opReadlink      = 5
	opSymlink       = 6
	opMknod         = 8
	opMkdir         = 9
	opUnlink        = 10
	opRmdir         = 11
	opRename        = 12
	opLink          = 13
	opOpen          = 14
	opRead          = 15
	opWrite         = 16
	opStatfs        = 17
	opRelease       = 18
	opFsync         = 20
	opSetxattr      = 21
	opGetxattr      = 22
	opListxattr     = 23
	opRemovexattr   = 24
	opInit          = 26
	opOpendir       = 27
	opReaddir       = 28
	opReleasedir    = 29
	opFsyncdir      = 30
	opCreate        = 35
	opDestroy       = 38
	opBatchForget   = 42
	opFallocate     = 43
	opReaddirplus   = 44
	opRename2       = 45
	opLseek         = 46
	opCopyFileRange = 47
	opTmpfile       = 51
)

// shape is what a message of an operation consists of, behind its head.
type shape struct {
	fixed int // bytes of numbers
	names int // that follow, each with a zero at its end
	tail  func(body, rest []byte) bool
}

var shapes = map[uint32]shape{
	opLookup:        {names: 1},
	opForget:        {fixed: 8},
	opGetattr:       {fixed: 16},
	opSetattr:       {fixed: 88},
	opReadlink:      {},
	opSymlink:       {names: 2},
	opMknod:         {fixed: 16, names: 1},
	opMkdir:         {fixed: 8, names: 1},
	opUnlink:        {names: 1},
	opRmdir:         {names: 1},
	opRename:        {fixed: 8, names: 2},
	opRename2:       {fixed: 16, names: 2},
	opLink:          {fixed: 8, names: 1},
	opOpen:          {fixed: 8},
	opRead:          {fixed: 40},
	opWrite:         {fixed: 40, tail: written},
	opStatfs:        {},
	opRelease:       {fixed: 24},
	opFsync:         {fixed: 16},
	opSetxattr:      {fixed: 8, tail: assigned},
	opGetxattr:      {fixed: 8, names: 1},
	opListxattr:     {fixed: 8},
	opRemovexattr:   {names: 1},
	opInit:          {fixed: 16, tail: func(_, rest []byte) bool { return len(rest) <= 48 }},
	opOpendir:       {fixed: 8},
	opReaddir:       {fixed: 40},
	opReleasedir:    {fixed: 24},
	opFsyncdir:      {fixed: 16},
	opCreate:        {fixed: 16, names: 1},
	opDestroy:       {},
	opBatchForget:   {fixed: 8, tail: counted},
	opFallocate:     {fixed: 32},
	opReaddirplus:   {fixed: 40},
	opLseek:         {fixed: 24},
	opCopyFileRange: {fixed: 56},
	opTmpfile:       {fixed: 16, names: 1},
}

func number(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

func written(body, rest []byte) bool { return uint64(number(body, 16)) == uint64(len(rest)) }

func counted(body, rest []byte) bool { return 16*uint64(number(body, 0)) == uint64(len(rest)) }

// assigned reports whether a name and a value of the size that is said follow.
func assigned(body, rest []byte) bool {
	end := bytes.IndexByte(rest, 0)
	return end >= 0 && uint64(number(body, 0)) == uint64(len(rest)-end-1)
}

// areStrings reports whether b is as many strings as n, each ended by a zero.
func areStrings(b []byte, n int) bool {
	return bytes.Count(b, []byte{0}) == n && (n == 0 || b[len(b)-1] == 0)
}

// What go-fuse itself takes for a file, which a server in Go needs that mounts its own
// file system. There is none such here.
const pollNode = math.MaxUint64

var pollName = []byte(".go-fuse-epoll-hack\x00")

// message is one of the guest's, of at least headSize bytes.
type message []byte

func (m message) op() uint32     { return number(m, 4) }
func (m message) node() uint64   { return binary.LittleEndian.Uint64(m[16:]) }
func (m message) unique() uint64 { return binary.LittleEndian.Uint64(m[8:]) }

// tells reports whether the answer tells of names or attributes.
func (m message) tells() bool {
	switch m.op() {
	case opRead, opWrite, opFsync, opFsyncdir, opFallocate, opCopyFileRange:
		return false
	}
	return true
}

// silent reports whether the kernel waits for no answer.
func (m message) silent() bool { return m.op() == opForget || m.op() == opBatchForget }

// vet returns how long an answer may become, or why there is none but that.
func (m message) vet() (room int, errno unix.Errno) {
	form, known := shapes[m.op()]
	if !known {
		return 0, unix.ENOSYS
	}
	body := m[headSize:]
	const extensions = 36 // of two bytes, in the head: their length
	if len(body) < form.fixed || binary.LittleEndian.Uint16(m[extensions:]) != 0 {
		return 0, unix.EINVAL
	}
	if m.node() == pollNode || form.names > 0 && bytes.HasPrefix(body[form.fixed:], pollName) {
		return 0, unix.EPERM
	}
	rest := body[form.fixed:]
	if form.tail != nil && !form.tail(body, rest) || form.tail == nil && !areStrings(rest, form.names) {
		return 0, unix.EINVAL
	}
	var size uint32
	switch m.op() {
	case opRead, opReaddir, opReaddirplus:
		if size = number(body, 16); size > maxData {
			return 0, unix.EINVAL
		}
	case opGetxattr, opListxattr:
		if size = number(body, 0); size > maxXattr {
			return 0, unix.E2BIG
		}
	}
	return max(smallReply, int(size)+replySize), 0
}
