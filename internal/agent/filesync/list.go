package filesync

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// Where in an entry of a directory's list what is, see getdents(2).
const (
	entryLength = 16
	entryKind   = 18
	entryName   = 19
)

// eachFile calls visit for all that is in a directory, with a name that is good until
// visit returns and what the file system says of its kind. It reads through room.
func eachFile(dir int, room []byte, visit func(base []byte, kind byte) error) error {
	for {
		n, err := unix.Getdents(dir, room)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return err
		}
		for list := room[:n]; len(list) > entryName; {
			entry := list[:binary.NativeEndian.Uint16(list[entryLength:])]
			list = list[len(entry):]
			base, _, _ := bytes.Cut(entry[entryName:], []byte{0})
			if string(base) == "." || string(base) == ".." {
				continue
			}
			if err := visit(base, entry[entryKind]); err != nil {
				return err
			}
		}
	}
}
