package ext4

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
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
	Obstacle      string // what keeps a guest from having it as its root, and why, or ""
}

// Check reads the superblock of an ext2, ext3 or ext4 file system. The error is
// ErrNotExt4 where there is none that makes sense. What else the file system
// holds is not looked at, nor whether all of it is there.
func Check(r io.ReaderAt) (Info, error) {
	raw := make([]byte, superblockSize)
	if n, err := r.ReadAt(raw, superblockAt); n < len(raw) {
		if errors.Is(err, io.EOF) {
			err = ErrNotExt4
		}
		return Info{}, err
	}
	var s superblock
	if _, err := binary.Decode(raw, binary.LittleEndian, &s); err != nil || !s.plausible() {
		return Info{}, ErrNotExt4
	}
	label, _, _ := bytes.Cut(s.Label[:], []byte{0})
	return Info{
		Size:          int64(s.blocks() << s.blockBits()),
		Label:         string(label),
		UUID:          hex.EncodeToString(s.UUID[:]),
		NeedsRecovery: s.Incompat&incompatRecover != 0,
		HasErrors:     s.State&stateErrors != 0,
		Obstacle:      s.obstacle(),
	}, nil
}

// obstacle tells what keeps a guest from writing to a file system, or returns "".
func (s *superblock) obstacle() string {
	if s.ROCompat&roCompatQuota != 0 {
		return "the feature quota, for which it has no module before its root: tune2fs -O ^quota takes it off"
	}
	const page = 12 // bits
	if s.blockBits() > page {
		return fmt.Sprintf("blocks of %d KiB, and Linux mounts none that are larger than its pages: mkfs.ext4 -b 4096 makes others", 1<<s.blockBits()>>10)
	}
	if s.ROCompat&roCompatVerity != 0 && s.blockBits() != page {
		return "the feature verity, and blocks that are no pages, which kernels before 6.3 do not mount: tune2fs -O ^verity takes it off"
	}
	unknown := s.ROCompat &^ roCompatWritable
	if unknown == 0 {
		return ""
	}
	feature := unknown & -unknown // the lowest
	name := unwritable[feature]
	if name == "" {
		name = fmt.Sprintf("%#x", feature)
	}
	return "the feature " + name + ", with which Linux mounts it for reading alone"
}

func (s *superblock) blockBits() uint32 { return 10 + s.LogBlockSize }

func (s *superblock) blocks() uint64 {
	if s.Incompat&incompat64Bit != 0 {
		return uint64(s.BlocksHigh)<<32 | uint64(s.Blocks)
	}
	return uint64(s.Blocks)
}

// plausible reports whether the magic number is not there by chance.
func (s *superblock) plausible() bool {
	const maxLogBlockSize = 6 // 64 KiB
	switch {
	case s.Magic != superMagic, s.LogBlockSize > maxLogBlockSize, s.Revision > dynamicSizes:
		return false
	case s.BlocksPerGroup == 0, s.InodesPerGroup == 0, s.Inodes == 0:
		return false
	case s.Incompat&incompatJournalDev != 0: // only a journal
		return false
	}
	blocks := s.blocks()
	return blocks > uint64(s.FirstDataBlock) && blocks <= math.MaxInt64>>s.blockBits()
}
