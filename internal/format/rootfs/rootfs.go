// Package rootfs turns what root filesystems are shipped in, a tar or the
// layers of an OCI image, into one stream of entries that a file system can be
// written from.
//
// What it yields is consistent: names are clean, no entry leads out of the
// root, a path through a symbolic link is resolved inside the root, whiteouts
// are applied and every type is one that a file system has. It touches no disk
// and holds no file's content in memory.
package rootfs

import (
	"archive/tar"
	"io"
	"strings"
)

// Stream calls yield for each entry of a root filesystem, in order, and
// returns the first error: yield's own, or what is wrong with the source.
//
// Names are relative and slash-separated, without "." and ".." elements; "."
// is the root. So are the targets of hard links, whose other metadata says
// nothing. The targets of symbolic links are as they came. A type is one of
// tar.TypeReg, TypeDir, TypeSymlink, TypeLink, TypeChar, TypeBlock and
// TypeFifo. The reader is valid until yield returns; what it leaves is skipped.
//
// A Stream can be walked once only.
type Stream func(yield func(hdr *tar.Header, content io.Reader) error) error

// join appends an element to a clean name.
func join(dir, base string) string {
	if dir == "." {
		return base
	}
	return dir + "/" + base
}

// split is path.Split for clean names: both parts are clean.
func split(name string) (dir, base string) {
	if at := strings.LastIndexByte(name, '/'); at >= 0 {
		return name[:at], name[at+1:]
	}
	return ".", name
}
