package ext4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Features, see the lists in the format's description.
const (
	compatHasJournal = 0x4
	compatExtAttr    = 0x8
	compatDirIndex   = 0x20
	compatSparse2    = 0x200

	incompatFiletype   = 0x2
	incompatRecover    = 0x4
	incompatJournalDev = 0x8
	incompatMetaBG     = 0x10
	incompatExtents    = 0x40
	incompat64Bit      = 0x80
	incompatMMP        = 0x100 // multiple mounts are watched for
	incompatFlexBG     = 0x200
	incompatEAInode    = 0x400
	incompatCsumSeed   = 0x2000
	incompatLargeDir   = 0x4000
	incompatCasefold   = 0x20000

	roCompatSparseSuper = 0x1
	roCompatLargeFile   = 0x2
	roCompatHugeFile    = 0x8
	roCompatGroupSums   = 0x10 // uninit_bg, gdt_csum
	roCompatDirNlink    = 0x20
	roCompatExtraIsize  = 0x40

	roCompatQuota  = 0x100
	roCompatVerity = 0x8000

	// Those with which Linux mounts a file system for writing; the others are
	// bigalloc, metadata_csum, project, verity and orphan_file's.
	roCompatWritable = roCompatSparseSuper | roCompatLargeFile | 0x4 | roCompatHugeFile | roCompatGroupSums | roCompatDirNlink |
		roCompatExtraIsize | roCompatQuota | 0x200 | 0x400 | 0x2000 | roCompatVerity | 0x10000
)

// unwritable are the names of others.
var unwritable = map[uint32]string{0x80: "has_snapshot", 0x800: "replica", 0x1000: "read-only", 0x4000: "shared_blocks"}

// The features of what Writer writes.
const (
	ourCompat   = compatExtAttr | compatDirIndex
	ourIncompat = incompatFiletype | incompatExtents | incompatFlexBG
	ourROCompat = roCompatSparseSuper | roCompatLargeFile | roCompatHugeFile | roCompatDirNlink | roCompatExtraIsize
)

const (
	superblockAt   = 1024 // offset of the first
	superblockSize = 1024
	superMagic     = 0xef53

	stateClean     = 1
	stateErrors    = 2
	continueAnyway = 1 // after an error
	dynamicSizes   = 1 // revision
	mountXattrACL  = 0xc
	unsignedHash   = 2 // names are hashed as unsigned bytes
	logFlexGroups  = 4
)

// superblock is the structure on disk; what has no name here is zero.
type superblock struct {
	Inodes         uint32
	Blocks         uint32
	ReservedBlocks uint32
	FreeBlocks     uint32
	FreeInodes     uint32
	FirstDataBlock uint32
	LogBlockSize   uint32
	LogClusterSize uint32
	BlocksPerGroup uint32
	Clusters       uint32
	InodesPerGroup uint32
	MountTime      uint32
	WriteTime      uint32
	Mounts         uint16
	MaxMounts      uint16
	Magic          uint16
	State          uint16
	Errors         uint16
	MinorRevision  uint16
	CheckTime      uint32
	CheckInterval  uint32
	Creator        uint32
	Revision       uint32
	ReservedUID    uint16
	ReservedGID    uint16
	FirstInode     uint32
	InodeSize      uint16
	Group          uint16
	Compat         uint32
	Incompat       uint32
	ROCompat       uint32
	UUID           [16]byte
	Label          [maxLabel]byte
	_              [64]byte // last mounted on
	_              [8]byte  // compression, preallocation, reserved descriptors
	_              [16]byte // an outer journal's UUID
	JournalInode   uint32
	_              [8]byte // an outer journal's device, orphans
	HashSeed       [16]byte
	HashVersion    uint8
	JournalBackup  uint8 // whether there is a copy of the journal's inode
	DescSize       uint16
	MountOptions   uint32
	FirstMetaGroup uint32     // of descriptors
	_              [4]byte    // creation time
	JournalBlocks  [17]uint32 // that copy: its map and size
	BlocksHigh     uint32
	_              [8]byte
	MinExtraIsize  uint16
	WantExtraIsize uint16
	Flags          uint32
	_              [16]byte // RAID, multiple mounts
	LogFlexGroups  uint8
	_              [651]byte
}

func (w *Writer) superblock(l *layout) superblock {
	s := superblock{
		Inodes:         uint32(len(l.groups)) * l.inodesPerGroup,
		Blocks:         l.blocks,
		LogBlockSize:   2, // 1024 << 2
		LogClusterSize: 2,
		BlocksPerGroup: blocksPerGroup,
		Clusters:       blocksPerGroup,
		InodesPerGroup: l.inodesPerGroup,
		MaxMounts:      0xffff, // no check because of them
		Magic:          superMagic,
		State:          stateClean,
		Errors:         continueAnyway,
		Revision:       dynamicSizes,
		FirstInode:     firstInode,
		InodeSize:      inodeSize,
		Compat:         ourCompat,
		Incompat:       ourIncompat,
		ROCompat:       ourROCompat,
		HashVersion:    halfMD4,
		MountOptions:   mountXattrACL,
		MinExtraIsize:  extraSize,
		WantExtraIsize: extraSize,
		Flags:          unsignedHash,
		LogFlexGroups:  logFlexGroups,
	}
	for _, g := range l.groups {
		s.FreeBlocks += g.freeBlocks
		s.FreeInodes += g.freeInodes
	}
	if w.hasLarge {
		s.Incompat |= incompatEAInode
	}
	copy(s.Label[:], w.label)
	s.UUID = w.uuid()
	copy(s.HashSeed[:], w.seed[16:])
	return s
}

func (w *Writer) uuid() (uuid [16]byte) {
	copy(uuid[:], w.seed[:])
	uuid[6] = uuid[6]&0x0f | 0x80 // version 8: made as the maker likes
	uuid[8] = uuid[8]&0x3f | 0x80
	return uuid
}

// writeSuperblocks writes the superblock and the group descriptors, the copies
// first: before the last write there is no file system.
func (w *Writer) writeSuperblocks(l *layout) error {
	return writeSuperblocks(w.out.file, w.superblock(l), len(l.groups), l.descriptors())
}

func writeSuperblocks(f io.WriterAt, s superblock, groups int, descriptors []byte) error {
	for group := groups - 1; group >= 0; group-- {
		if !hasSuper(uint32(group)) {
			continue
		}
		s.Group = uint16(group)
		var encoded bytes.Buffer
		if err := binary.Write(&encoded, binary.LittleEndian, s); err != nil {
			return fmt.Errorf("encode the superblock: %w", err)
		}
		first := make([]byte, blockSize)
		offset := 0
		if group == 0 {
			offset = superblockAt
		}
		copy(first[offset:], encoded.Bytes())
		at := int64(group) * blocksPerGroup * blockSize
		if _, err := f.WriteAt(slices.Concat(first, descriptors), at); err != nil {
			return err
		}
	}
	return nil
}

func (l *layout) descriptors() []byte {
	le := binary.LittleEndian
	all := make([]byte, l.descBlocks()*blockSize)
	for i, g := range l.groups {
		d := all[i*descSize:]
		le.PutUint32(d[0:], g.blockBitmap)
		le.PutUint32(d[4:], g.inodeBitmap)
		le.PutUint32(d[8:], g.inodeTable)
		le.PutUint16(d[12:], uint16(g.freeBlocks))
		le.PutUint16(d[14:], uint16(g.freeInodes))
		le.PutUint16(d[16:], uint16(g.directories))
	}
	return all
}
