package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/engine"
	"banger/internal/statedir"
)

// noSpaceHint says of what there is too little, where a file system is full.
func (a *app) noSpaceHint(err error) string {
	op, path := "", a.engine.Dirs.State
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		op, path = e.Op, e.Path
	} else if e, ok := errors.AsType[*os.LinkError](err); ok {
		op, path = e.Op, e.New
	}
	if e, ok := errors.AsType[*statedir.NoSpaceError](err); ok {
		path = e.Dir
	}
	if e, ok := errors.AsType[*engine.FullError](err); ok {
		path = e.Dir
	}
	if !filepath.IsAbs(path) {
		path = a.engine.Dirs.State
	}
	dir := existing(path)
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil && outOfInodes(op, st) {
		return fmt.Sprintf("the file system of %s has no inodes left: delete files, however small", dir)
	}
	return fmt.Sprintf("free some space in %s", dir)
}

// existing is the nearest directory to a path that is there: what an operation
// had made when it failed is gone.
func existing(path string) string {
	for ; path != "/" && path != "."; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			break
		}
	}
	return path
}

// few is how many inodes are none: others make and delete files too.
const few = 16

// outOfInodes reports whether op failed for want of an inode, and not of blocks.
func outOfInodes(op string, st unix.Statfs_t) bool {
	if st.Files == 0 || st.Blocks == 0 {
		return false // a file system that makes inodes as it needs them
	}
	switch op {
	case "open", "openat", "mkdir", "mkdirat", "symlink", "link", "mknod":
		// It makes a file. Those that were made before may be deleted again.
		return float64(st.Ffree)/float64(st.Files) < float64(st.Bavail)/float64(st.Blocks)
	case "":
		return st.Ffree < few && st.Bavail > 0
	}
	return false
}
