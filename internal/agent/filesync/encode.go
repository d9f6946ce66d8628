package filesync

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"path"

	"banger/internal/format/tree"
)

const (
	maxName  = 64 << 10
	maxState = 128 << 20 // bytes of names and targets that are read
)

// Write writes a state. It is for Read.
func (s State) Write(w io.Writer) error {
	var b []byte
	for name, e := range s {
		b = append(b[:0], byte(e.Kind), flag(e.Executable))
		b = appendText(appendText(b, name), e.Hash)
		for _, n := range []int64{e.Stamp.Size, e.Stamp.MTime, e.Stamp.CTime, int64(e.Stamp.Inode)} {
			b = binary.AppendVarint(b, n)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	_, err := w.Write([]byte{byte(Absent)})
	return err
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

var errState = errors.New("the guest's list of files is damaged")

// Read reads a state that nobody has to trust: its names lead nowhere else, and what
// it takes has a bound.
func Read(from io.Reader) (State, error) {
	r, s, left := bufio.NewReaderSize(from, 64<<10), State{}, maxState
	for {
		kind, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if Kind(kind) == Absent {
			return s, nil
		}
		name, e, err := readEntry(r)
		if err != nil {
			return nil, err
		}
		e.Kind = Kind(kind)
		left -= len(name) + len(e.Hash) + 100
		if left < 0 || e.Kind > Link || name == "." || name != path.Clean(name) || !isLocal(name) || Hidden(name) {
			return nil, errState
		}
		s[name] = e
	}
}

func isLocal(name string) bool {
	return name[0] != '/' && name != ".." && (len(name) < 3 || name[:3] != "../")
}

func readEntry(r *bufio.Reader) (name string, e Entry, err error) {
	executable, err := r.ReadByte()
	if err != nil {
		return "", e, err
	}
	e.Executable = executable != 0
	if name, err = readText(r); err != nil {
		return "", e, err
	}
	if e.Hash, err = readText(r); err != nil {
		return "", e, err
	}
	var n [4]int64
	for i := range n {
		if n[i], err = binary.ReadVarint(r); err != nil {
			return "", e, err
		}
	}
	e.Stamp = tree.Stamp{Size: n[0], MTime: n[1], CTime: n[2], Inode: uint64(n[3])}
	if name == "" {
		err = errState
	}
	return name, e, err
}

func readText(r *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return "", err
	}
	if n > maxName {
		return "", errState
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return string(text), err
}
