// Package share serves a directory of the host to a guest, live: it answers the
// FUSE messages of the guest's kernel, which the guest's agent carries here as they
// are, each with its length at its head.
//
// The guest is taken for hostile: who speaks may be its kernel or anything else. Each
// message is vetted before anything is made of it, every name is one name and no path,
// every file is found by the kernel's own walk from the directory, which leads nowhere
// out of it (openat2), and all that is kept has a bound. It makes no device, sets no
// file's user or group to be taken on, and gives no file to another user of the host.
package share

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Owner is whom the guest takes for the owner of what is the server's user's.
type Owner struct{ UID, GID uint32 }

// Options say how a directory is served.
type Options struct {
	ReadOnly bool
	Files    int // that may be open at a time
	Log      *log.Logger
}

// ReadOwner reads what begins the guest's stream.
func ReadOwner(r io.Reader) (o Owner, err error) {
	err = binary.Read(r, binary.BigEndian, &o)
	return o, err
}

// share is one directory.
type share struct {
	fuse.RawFileSystem // refuses what is not served
	Options
	owner Owner
	self  Owner // whom this process runs as
	dir   *os.File
	root  int // dir's descriptor
	nodes *tree
	files *handles
	watch *watcher
	news  *news
}

func newShare(dir *os.File, owner Owner, o Options) (*share, error) {
	s := &share{
		RawFileSystem: fuse.NewDefaultRawFileSystem(), Options: o, owner: owner,
		self: Owner{uint32(os.Geteuid()), uint32(os.Getegid())},
		dir:  dir, root: int(dir.Fd()), files: newHandles(o.Files),
		watch: newWatcher(), news: newNews(),
	}
	if err := s.begin(); err != nil {
		s.watch.close()
		return nil, err
	}
	return s, nil
}

// begin makes the directory known to the guest.
func (s *share) begin() error {
	st, err := stat(s.root)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	s.nodes = newTree(identify(&st))
	fd, err := s.openNode(s.nodes.root)
	if err != nil {
		return fmt.Errorf("open by openat2, which Linux has from 5.6 on: %w", err)
	}
	return unix.Close(fd)
}

// Serve answers what comes by conn until it ends.
func Serve(conn net.Conn, dir *os.File, o Options) error {
	defer conn.Close()
	owner, err := ReadOwner(conn)
	if err != nil {
		return fmt.Errorf("hear of the guest: %w", err)
	}
	s, err := newShare(dir, owner, o)
	if err != nil {
		return fmt.Errorf("serve %s: %w", dir.Name(), err)
	}
	defer s.watch.close()
	return newStream(conn, s).serve()
}
