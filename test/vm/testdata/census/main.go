// Command census describes every file of a directory's file system, a line each:
// names, type, mode, owner, time, size, content, target, device and extended
// attributes. Whether it runs in a guest or not makes no difference.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if err := census(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func census(root string) error {
	var top unix.Stat_t
	if err := unix.Lstat(root, &top); err != nil {
		return err
	}
	first := map[uint64]string{}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		switch {
		case st.Dev != top.Dev && d.IsDir():
			return fs.SkipDir
		case st.Dev != top.Dev:
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		content, err := describe(path, st)
		if err != nil {
			return err
		}
		same := ""
		if !d.IsDir() && st.Nlink > 1 {
			if first[st.Ino] == "" {
				first[st.Ino] = name
			}
			same = fmt.Sprintf(" %d names, %q", st.Nlink, first[st.Ino])
		}
		fmt.Printf("%q %o %d:%d %d.%09d%s%s\n", name, st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, content, same)
		return nil
	})
}

func describe(path string, st unix.Stat_t) (text string, err error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf(" %d %x", st.Size, sha256.Sum256(data))
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf(" -> %q", target)
	case unix.S_IFCHR, unix.S_IFBLK:
		text = fmt.Sprintf(" %d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return "", err
	}
	keys := strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 })
	slices.Sort(keys)
	for _, key := range keys {
		n, err := unix.Lgetxattr(path, key, buf)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %s=%q", key, bytes.Clone(buf[:n]))
	}
	return text, nil
}
