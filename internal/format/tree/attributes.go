package tree

import (
	"archive/tar"
	"errors"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attributes gives an open file or directory what its header says.
func (u *unpacker) attributes(fd int, h *tar.Header) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	// What changes nothing costs a transaction of the file system's all the same.
	if uid, gid, set := u.owner(h); set && (uid != int(st.Uid) || gid != int(st.Gid)) {
		if err := unix.Fchown(fd, uid, gid); err != nil {
			return err
		}
	}
	if len(h.PAXRecords) > 0 {
		u.xattrs(fd, h, true) // while it can be written to, whatever its mode will be
	}
	if mode := u.mode(h); mode != st.Mode&0o7777 || mode > 0o777 { // of which chown takes some
		if err := unix.Fchmod(fd, mode); err != nil {
			return err
		}
	}
	if len(h.PAXRecords) > 0 && u.Keep {
		u.xattrs(fd, h, false) // which a change of owner or mode changes
	}
	times := timesOf(h)
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times[0])), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// attributesByName is attributes for a file that is not open: no regular file and
// no directory.
func (u *unpacker) attributesByName(dir int, name string, h *tar.Header) error {
	if uid, gid, set := u.owner(h); set {
		if err := unix.Fchownat(dir, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := chmodAt(dir, name, u.mode(h)); err != nil {
			return err
		}
	}
	times := timesOf(h)
	return unix.UtimesNanoAt(dir, name, times[:], unix.AT_SYMLINK_NOFOLLOW)
}

// chmodAt follows no link.
func chmodAt(dir int, name string, mode uint32) error {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Chmod(fdPath(fd), mode)
}

// fdPath is a name of an open file that is no other's.
func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// owner returns whose a file is to be, unless it stays whose it is.
func (u *unpacker) owner(h *tar.Header) (uid, gid int, set bool) {
	switch {
	case u.Keep && os.Geteuid() == 0:
		return h.Uid, h.Gid, true
	case u.Owner != nil:
		return u.Owner.UID, u.Owner.GID, true
	}
	return 0, 0, false
}

// mode leaves out the setuid and setgid bits where the owner may be another one.
func (u *unpacker) mode(h *tar.Header) uint32 {
	mask := int64(0o777)
	if h.Typeflag == tar.TypeDir {
		mask = 0o1777
	}
	if u.Keep && os.Geteuid() == 0 {
		mask = 0o7777
	}
	return uint32(h.Mode & mask)
}

// timesOf leaves the time of access as it is.
func timesOf(h *tar.Header) [2]unix.Timespec {
	return [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}}
}

const userXattr = "user."

// xattrs sets the extended attributes that are the users', or the other ones.
func (u *unpacker) xattrs(fd int, h *tar.Header, users bool) {
	for key, value := range h.PAXRecords {
		name, is := strings.CutPrefix(key, xattrPrefix)
		if !is || strings.HasPrefix(name, userXattr) != users {
			continue
		}
		if err := unix.Fsetxattr(fd, name, []byte(value), 0); err != nil {
			u.notes.add("%s is without its extended attribute %s: %v", h.Name, name, err)
		}
	}
}

// room keeps a tar from filling the disk.
type room struct {
	left int64 // until a file system is asked again
}

// spare is what a guarded tar leaves free, in bytes, where the file system is large
// enough for that to be little.
const spare = 64 << 20

// NoRoomError says that a file system has too little space for a file.
type NoRoomError struct{ Need, Free int64 }

func (e *NoRoomError) Error() string { return "it is larger than what is free on the disk" }

// Is matches ENOSPC: there is no more room, as on a full disk.
func (e *NoRoomError) Is(target error) bool { return errors.Is(unix.ENOSPC, target) }

// asks is how much is written before a file system is asked again.
const asks = 16 << 20

// take notes that so much is to be written in a directory, if there is room.
func (r *room) take(dir int, size int64, guarded bool) error {
	if size <= r.left {
		r.left -= max(size, 1<<10)
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(dir, &st); err != nil {
		return err
	}
	if st.Blocks == 0 {
		return nil // one that cannot tell
	}
	free := int64(min(st.Bavail, 1<<50)) * st.Bsize
	if all := int64(min(st.Blocks, 1<<50)) * st.Bsize; guarded && all > 32*spare {
		free -= spare
	}
	if size > free {
		return &NoRoomError{size, max(free, 0)}
	}
	r.left = min(asks, free-size)
	return nil
}
