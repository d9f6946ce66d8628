package filesync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/format/tree"
)

// fresh is how long after a change another one may leave the same time behind: what
// is so young is not known by its stamp the next time.
const fresh = 20 * time.Millisecond

// Hash reads the named files below the directory top, and returns them with their
// hashes, unless ctx ends before. What is no file any more is left out.
func Hash(ctx context.Context, top string, names []string) (State, error) {
	s := State{}
	in, err := openDirs(top)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.close()
	h := hasher{ctx, sha256.New(), make([]byte, 64<<10)}
	for _, name := range names {
		dir, err := in.open(path.Dir(name))
		if err != nil && isGone(err) {
			continue // removed, or behind a link
		}
		if err != nil {
			return nil, &tree.FileError{Name: name, Err: err}
		}
		e, err := h.file(dir, path.Base(name))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && isOther(dir, path.Base(name)) {
			continue
		}
		if err != nil {
			return nil, &tree.FileError{Name: name, Err: err}
		}
		if e.Kind == File {
			s[name] = e
		}
	}
	return s, nil
}

// isOther reports whether something is known to be no file, or not to be there.
func isOther(dir int, base string) bool {
	e, err := look(dir, base)
	return err == nil && e.Kind != File
}

// hasher is what reading one file after another needs.
type hasher struct {
	ctx context.Context
	sum hash.Hash
	buf []byte
}

func (h hasher) file(dir int, base string) (e Entry, err error) {
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return e, err
	}
	f := os.NewFile(uintptr(fd), base)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return e, err
	}
	e = Entry{Content{Kind: File, Executable: st.Mode&0o100 != 0}, tree.StampOf(&st)}
	if time.Since(time.Unix(0, e.Stamp.CTime)) < fresh {
		e.Stamp = tree.Stamp{}
	}
	h.sum.Reset()
	_, err = io.CopyBuffer(h.sum, until{h.ctx, f}, h.buf)
	e.Hash = hex.EncodeToString(h.sum.Sum(nil))
	return e, err
}

// until reads until a context ends.
type until struct {
	ctx context.Context
	io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}
