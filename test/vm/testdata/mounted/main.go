// Command mounted does with a directory what programs do, and prints what does not
// work as on a disk, or "all is well". It is built without cgo and run in a guest, in
// a directory of the host's:
//
//	mounted DIR
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var checks = map[string]func(dir string) error{
	"an editor's save":   save,
	"rename":             renames,
	"mmap":               mapped,
	"locks":              locks,
	"files without name": nameless,
	"holes":              holes,
	"links":              links,
	"attributes":         attributes,
	"inotify":            watched,
	"append":             appended,
	"owners and modes":   owners,
	"directories":        directories,
	"times":              times,
}

func main() {
	failed := false
	for name, check := range checks {
		dir := filepath.Join(os.Args[1], strings.ReplaceAll(name, " ", "-"))
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = check(dir)
		}
		if err == nil {
			err = os.RemoveAll(dir)
		}
		if err != nil {
			failed = true
			fmt.Printf("%s: %v\n", name, err)
		}
	}
	if failed {
		os.Exit(1)
	}
	fmt.Println("all is well")
}

func wrong(what string, got ...any) error { return fmt.Errorf("%s: %v", what, got) }

func save(dir string) error {
	path := filepath.Join(dir, "file")
	for i := range 20 {
		text := strings.Repeat("line\n", i)
		f, err := os.CreateTemp(dir, "draft")
		if err != nil {
			return err
		}
		f.WriteString(text)
		if err := errors.Join(f.Sync(), f.Close(), os.Rename(f.Name(), path)); err != nil {
			return err
		}
		if got, err := os.ReadFile(path); string(got) != text {
			return wrong("read", len(got), err)
		}
	}
	return nil
}

func renames(dir string) error {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	os.WriteFile(a, []byte("a"), 0o644)
	os.WriteFile(b, []byte("b"), 0o644)
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_NOREPLACE); err != unix.EEXIST {
		return wrong("replaced", err)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	if got, _ := os.ReadFile(a); string(got) != "b" {
		return wrong("exchanged", string(got))
	}
	sub := filepath.Join(dir, "sub", "deep")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		return err
	}
	os.WriteFile(filepath.Join(sub, "f"), []byte("f"), 0o644)
	if err := os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "moved")); err != nil {
		return err
	}
	if got, err := os.ReadFile(filepath.Join(dir, "moved", "deep", "f")); string(got) != "f" {
		return wrong("moved", err)
	}
	return nil
}

func mapped(dir string) error {
	f, err := os.Create(filepath.Join(dir, "map"))
	if err != nil {
		return err
	}
	defer f.Close()
	const size = 1 << 20
	f.Truncate(size)
	m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(m[size/2:], "mapped")
	if err := errors.Join(unix.Msync(m, unix.MS_SYNC), unix.Munmap(m)); err != nil {
		return err
	}
	got := make([]byte, 6)
	if _, err := f.ReadAt(got, size/2); err != nil || string(got) != "mapped" {
		return wrong("read", string(got), err)
	}
	return nil
}

func locks(dir string) error {
	path := filepath.Join(dir, "lock")
	var two [2]*os.File
	for i := range two {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		two[i] = f
	}
	if err := unix.Flock(int(two[0].Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	if err := unix.Flock(int(two[1].Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		return wrong("locked twice", err)
	}
	region := func() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK, Len: 10} }
	if err := unix.FcntlFlock(two[0].Fd(), unix.F_OFD_SETLK, region()); err != nil {
		return err
	}
	if err := unix.FcntlFlock(two[1].Fd(), unix.F_OFD_SETLK, region()); err != unix.EAGAIN {
		return wrong("a region locked twice", err)
	}
	return nil
}

func nameless(dir string) error {
	path := filepath.Join(dir, "gone")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	os.Remove(path)
	f.WriteString("still there")
	if info, err := f.Stat(); err != nil || info.Size() != 11 {
		return wrong("what was removed", err)
	}
	if err := errors.Join(f.Truncate(5), f.Chmod(0o600)); err != nil {
		return err
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR, 0o644)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil // a kernel whose FUSE has none says so
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	unix.Write(fd, []byte("named"))
	named := filepath.Join(dir, "named")
	if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, named, unix.AT_SYMLINK_FOLLOW); err != nil {
		return fmt.Errorf("name it: %w", err)
	}
	if got, err := os.ReadFile(named); string(got) != "named" {
		return wrong("what got a name", string(got), err)
	}
	return nil
}

func holes(dir string) error {
	f, err := os.Create(filepath.Join(dir, "holes"))
	if err != nil {
		return err
	}
	defer f.Close()
	fd := int(f.Fd())
	if err := unix.Fallocate(fd, 0, 0, 1<<20); err != nil {
		return err
	}
	f.WriteAt(bytes.Repeat([]byte{1}, 1<<20), 0)
	if err := unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 1<<19, 1<<18); err != nil {
		return err
	}
	got := make([]byte, 1)
	if f.ReadAt(got, 1<<19); got[0] != 0 {
		return wrong("what was punched out is there")
	}
	if at, err := f.Seek(0, unix.SEEK_HOLE); err != nil || at != 1<<19 {
		return wrong("the hole", at, err)
	}
	if at, err := f.Seek(1<<19, unix.SEEK_DATA); err != nil || at != 3<<18 {
		return wrong("the data behind it", at, err)
	}
	return nil
}

func links(dir string) error {
	a, b, s := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "s")
	os.WriteFile(a, []byte("linked"), 0o644)
	if err := errors.Join(os.Link(a, b), os.Symlink("b", s), unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644)); err != nil {
		return err
	}
	one, _ := os.Stat(a)
	two, err := os.Stat(b)
	if err != nil || !os.SameFile(one, two) {
		return wrong("two names of one file", err)
	}
	os.Remove(a)
	if got, err := os.ReadFile(s); string(got) != "linked" {
		return wrong("by a link", string(got), err)
	}
	return nil
}

func attributes(dir string) error {
	path := filepath.Join(dir, "attrs")
	os.WriteFile(path, nil, 0o644)
	if err := unix.Setxattr(path, "user.note", []byte("value"), unix.XATTR_CREATE); err != nil {
		return err
	}
	buf := make([]byte, 100)
	if n, err := unix.Getxattr(path, "user.note", buf); err != nil || string(buf[:n]) != "value" {
		return wrong("read", err)
	}
	if n, err := unix.Listxattr(path, buf); err != nil || string(buf[:n]) != "user.note\x00" {
		return wrong("listed", string(buf[:max(n, 0)]), err)
	}
	return unix.Removexattr(path, "user.note")
}

func watched(dir string) error {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MODIFY); err != nil {
		return err
	}
	os.WriteFile(filepath.Join(dir, "new"), []byte("x"), 0o644)
	buf := make([]byte, 4096)
	if n, err := unix.Read(fd, buf); err != nil || !bytes.Contains(buf[:n], []byte("new")) {
		return wrong("seen", err)
	}
	return nil
}

func appended(dir string) error {
	path := filepath.Join(dir, "log")
	for range 50 {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		io.WriteString(f, "0123456789")
		f.Close()
	}
	if got, err := os.ReadFile(path); len(got) != 500 {
		return wrong("there is", len(got), err)
	}
	return nil
}

func owners(dir string) error {
	path := filepath.Join(dir, "owned")
	os.WriteFile(path, nil, 0o644)
	var st unix.Stat_t
	for _, want := range []uint32{33, 0, 65534, 0} {
		if err := unix.Chown(path, int(want), int(want)); err != nil {
			return err
		}
		if unix.Stat(path, &st); st.Uid != want || st.Gid != want {
			return wrong("the owner is", st.Uid, st.Gid)
		}
	}
	if err := unix.Chmod(path, 0o444); err != nil {
		return err
	}
	if err := unix.Chown(path, 33, 33); err != nil {
		return wrong("the owner of what is only to be read", err)
	}
	if unix.Stat(path, &st); st.Mode&0o7777 != 0o444 {
		return wrong("the mode is", st.Mode)
	}
	return nil
}

func directories(dir string) error {
	const many = 300
	want := map[string]bool{}
	for i := range many {
		name := fmt.Sprintf("%s-%d", strings.Repeat("n", i%200+1), i)
		want[name] = true
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		delete(want, e.Name())
	}
	if err != nil || len(entries) != many || len(want) != 0 {
		return wrong("listed", len(entries), len(want), err)
	}
	return nil
}

func times(dir string) error {
	path := filepath.Join(dir, "timed")
	os.WriteFile(path, nil, 0o644)
	at := unix.Timespec{Sec: 1_000_000_000, Nsec: 123_456_789}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, 0); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Mtim != at {
		return wrong("the time is", st.Mtim, err)
	}
	return nil
}
