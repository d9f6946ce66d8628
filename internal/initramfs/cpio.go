package initramfs

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"syscall"
)

// archive writes a cpio of the "newc" kind, see
// https://docs.kernel.org/driver-api/early-userspace/buffer-format.html. The
// first error sticks and is returned by close.
type archive struct {
	w     *bufio.Writer
	inode int
	err   error
}

const (
	alignment = 4
	trailer   = "TRAILER!!!"
)

func newArchive(w io.Writer) *archive { return &archive{w: bufio.NewWriterSize(w, 1<<16)} }

// entry is what varies between the entries of an initramfs. All belong to root
// and have no time.
type entry struct {
	name         string
	mode         uint32
	major, minor int
	size         int64
	content      io.Reader // of size bytes
}

func (a *archive) directory(name string, perm uint32) {
	a.write(entry{name: name, mode: syscall.S_IFDIR | perm})
}

func (a *archive) file(name string, perm uint32, size int64, content io.Reader) {
	a.write(entry{name: name, mode: syscall.S_IFREG | perm, size: size, content: content})
}

func (a *archive) character(name string, perm uint32, major, minor int) {
	a.write(entry{name: name, mode: syscall.S_IFCHR | perm, major: major, minor: minor})
}

func (a *archive) close() error {
	a.write(entry{name: trailer})
	if a.err == nil {
		a.err = a.w.Flush()
	}
	return a.err
}

func (a *archive) write(e entry) {
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

// put writes data of size bytes and zeros up to the next multiple of four.
func (a *archive) put(size int64, data io.Reader) {
	if a.err != nil {
		return
	}
	if _, a.err = io.CopyN(a.w, data, size); a.err != nil {
		return
	}
	_, a.err = a.w.Write(make([]byte, padding(size)))
}

func padding(n int64) int64 { return (alignment - n%alignment) % alignment }
