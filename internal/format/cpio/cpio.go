// Package cpio writes archives of the kind that Linux unpacks as its first file
// system: "newc", see
// https://docs.kernel.org/driver-api/early-userspace/buffer-format.html.
//
// The same entries give the same bytes: all belong to root and have no time. It
// reads no archive and knows nothing of what is in one.
package cpio

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"syscall"
)

// Writer writes an archive. The first error sticks: Close returns it, and what
// is written after it is dropped.
type Writer struct {
	w     *bufio.Writer
	inode int
	err   error
}

const (
	alignment = 4
	trailer   = "TRAILER!!!"
)

// NewWriter begins an archive at a position of w that is a multiple of four.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 1<<16)} }

// entry is what varies between the entries of an archive.
type entry struct {
	name         string
	mode         uint32
	major, minor int
	size         int64
	content      io.Reader // of size bytes
}

// Directory adds a directory.
func (a *Writer) Directory(name string, perm uint32) {
	a.write(entry{name: name, mode: syscall.S_IFDIR | perm})
}

// File adds a file; content has to hold size bytes at the least.
func (a *Writer) File(name string, perm uint32, size int64, content io.Reader) {
	a.write(entry{name: name, mode: syscall.S_IFREG | perm, size: size, content: content})
}

// Character adds a character device.
func (a *Writer) Character(name string, perm uint32, major, minor int) {
	a.write(entry{name: name, mode: syscall.S_IFCHR | perm, major: major, minor: minor})
}

// Close ends the archive, and leaves the writer below open.
func (a *Writer) Close() error {
	a.write(entry{name: trailer})
	if a.err == nil {
		a.err = a.w.Flush()
	}
	return a.err
}

// Err returns the first error so far.
func (a *Writer) Err() error { return a.err }

func (a *Writer) write(e entry) {
	if a.err != nil {
		return
	}
	a.inode++
	const links, uid, gid, mtime, devMajor, devMinor, check = 1, 0, 0, 0, 0, 0, 0
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, e.mode, uid, gid, links, mtime, e.size, devMajor, devMinor,
		e.major, e.minor, len(e.name)+1, check, e.name)
	a.put(int64(len(header)), strings.NewReader(header))
	if e.size > 0 {
		a.put(e.size, e.content)
	}
}

// put writes data of size bytes and the padding behind it.
func (a *Writer) put(size int64, data io.Reader) {
	if a.err != nil {
		return
	}
	if _, a.err = io.CopyN(a.w, data, size); a.err != nil {
		return
	}
	_, a.err = a.w.Write(Padding(size))
}

// Padding returns the zeros that go behind n bytes, so that an archive may
// follow.
func Padding(n int64) []byte { return make([]byte, (alignment-n%alignment)%alignment) }
