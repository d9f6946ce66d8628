package ext4

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
)

// ErrNotExt4 says that bytes are no ext2, ext3 or ext4 file system.
var ErrNotExt4 = errors.New("is no ext4 file system")

// Info is what a file system's superblock says.
type Info struct {
	Size          int64 // bytes
	Label         string
	UUID          string // 32 hex digits
	NeedsRecovery bool   // its journal holds what is not in place yet
	HasErrors     bool   // its kernel found it damaged
}

// Check reads the superblock of a file system.
func Check(r io.ReaderAt) (Info, error) {
	raw := make([]byte, superblockSize)
	n, err := r.ReadAt(raw, superblockAt)
	if n < superblockSize {
		if errors.Is(err, io.EOF) {
			err = ErrNotExt4
		}
		return Info{}, err
	}
	var s superblock
	if err := binary.Read(bytes.NewReader(raw), binary.LittleEndian, &s); err != nil {
		return Info{}, ErrNotExt4
	}
	if s.Magic != superMagic || s.LogBlockSize > 6 || s.Blocks == 0 || s.Inodes == 0 {
		return Info{}, ErrNotExt4
	}
	label, _, _ := bytes.Cut(s.Label[:], []byte{0})
	return Info{
		Size:          int64(s.Blocks) << (10 + s.LogBlockSize),
		Label:         string(label),
		UUID:          hex.EncodeToString(s.UUID[:]),
		NeedsRecovery: s.Incompat&incompatRecover != 0,
		HasErrors:     s.State&stateErrors != 0,
	}, nil
}
