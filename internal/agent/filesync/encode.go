package filesync

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/format/tree"
)

const (
	maxName  = unix.PathMax // of a name or a target, in bytes
	maxState = 128 << 20    // bytes of names and targets that are read
	dirCost  = 400          // as how many bytes a directory counts that a name is in
)

// Write writes a state, in order, so that names share with those before what they are
// in. It is for Read.
func (s State) Write(w io.Writer) error {
	e := encoder{w: w}
	for _, name := range s.Names() {
		entry := s[name]
		if err := e.add(name, entry.Content, entry.Stamp); err != nil {
			return err
		}
	}
	return e.end()
}

// encoder writes entries, each by what is other than in the one before.
type encoder struct {
	w     io.Writer
	b     []byte
	name  []byte
	stamp [2]tree.Stamp
}

// add writes an entry, with as many stamps as the reader expects.
func (e *encoder) add(name string, c Content, stamps ...tree.Stamp) error {
	same := 0
	for same < min(len(name), len(e.name)) && name[same] == e.name[same] {
		same++
	}
	b := append(e.b[:0], byte(c.Kind), flag(c.Executable))
	b = binary.AppendUvarint(b, uint64(same))
	b = appendText(appendText(b, name[same:]), c.Hash)
	e.name = append(e.name[:same], name[same:]...)
	for i, s := range stamps {
		if c.Kind == Dir {
			break // which have none
		}
		last := &e.stamp[i]
		for _, n := range []int64{s.Size, s.MTime - last.MTime, s.CTime - last.CTime, int64(s.Inode - last.Inode)} {
			b = binary.AppendVarint(b, n)
		}
		*last = s
	}
	e.b = b
	_, err := e.w.Write(b)
	return err
}

func (e *encoder) end() error {
	_, err := e.w.Write([]byte{byte(Absent)})
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
	s := State{}
	d := newDecoder(from)
	for {
		var stamp [1]tree.Stamp
		name, c, err := d.next(stamp[:])
		if err != nil || c.Kind == Absent {
			return s, err
		}
		s[name] = Entry{c, stamp[0]}
	}
}

// decoder reads what an encoder wrote.
type decoder struct {
	r     *bufio.Reader
	left  int
	name  []byte
	stamp [2]tree.Stamp
}

func newDecoder(from io.Reader) *decoder {
	return &decoder{r: bufio.NewReaderSize(from, 64<<10), left: maxState}
}

// next returns the next entry and fills its stamps, or an absent one at the end.
func (d *decoder) next(stamps []tree.Stamp) (name string, c Content, err error) {
	kind, err := d.r.ReadByte()
	if err != nil || Kind(kind) == Absent {
		return "", c, err
	}
	executable, err := d.r.ReadByte()
	if err != nil {
		return "", c, err
	}
	if name, err = d.nextName(); err != nil {
		return "", c, err
	}
	hash, err := d.text(nil)
	if err != nil {
		return "", c, err
	}
	c = Content{Kind(kind), executable != 0, string(hash)}
	if d.left -= len(hash) + 100; d.left < 0 || c.Kind > Link {
		return "", c, errState
	}
	for i := range stamps {
		if c.Kind == Dir {
			break
		}
		if stamps[i], err = d.nextStamp(&d.stamp[i]); err != nil {
			return "", c, err
		}
	}
	return name, c, nil
}

func (d *decoder) nextName() (string, error) {
	same, err := binary.ReadUvarint(d.r)
	if err != nil {
		return "", err
	}
	if same > uint64(len(d.name)) {
		return "", errState
	}
	if d.name, err = d.text(d.name[:same]); err != nil {
		return "", err
	}
	name := string(d.name)
	d.left -= len(name) + dirCost*strings.Count(name[same:], "/")
	if len(name) > maxName || name == "" || name == "." || name != path.Clean(name) || !isLocal(name) || Hidden(name) {
		return "", errState
	}
	return name, nil
}

func isLocal(name string) bool {
	return name[0] != '/' && name != ".." && (len(name) < 3 || name[:3] != "../")
}

func (d *decoder) nextStamp(last *tree.Stamp) (tree.Stamp, error) {
	var n [4]int64
	for i := range n {
		var err error
		if n[i], err = binary.ReadVarint(d.r); err != nil {
			return tree.Stamp{}, err
		}
	}
	*last = tree.Stamp{Size: n[0], MTime: last.MTime + n[1], CTime: last.CTime + n[2], Inode: last.Inode + uint64(n[3])}
	return *last, nil
}

// text appends a text to b.
func (d *decoder) text(b []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(d.r)
	if err != nil {
		return nil, err
	}
	if n > maxName || len(b) > maxName {
		return nil, errState
	}
	at := len(b)
	b = append(b, make([]byte, n)...)
	_, err = io.ReadFull(d.r, b[at:])
	return b, err
}
