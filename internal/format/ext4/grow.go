package ext4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNotGrowable says that Grow cannot grow a file system, which the kernel may
// be able to.
var ErrNotGrowable = errors.New("not of the form that can be grown at once")

// Device is what a file system to be grown is on.
type Device interface {
	io.ReaderAt
	io.WriterAt
}

// The flags of a group descriptor.
const (
	inodesUninit = 1 // its bitmap is not written: no inode is used
	blocksUninit = 2 // the same of blocks: those of its tables are used
	inodesZeroed = 4 // its inode table needs no initialising
)

// minGroupSpace is the least that a last group has beside its tables.
const minGroupSpace = 50

// Grow makes a file system that Writer wrote ready to be written to: as large
// as size allows, up to 256 GiB, with a journal behind what it was. It takes a
// few blocks of writing whatever the size, as the groups that it adds are
// uninitialised; what follows the file system on f has to read as zeros. One
// that was left half grown is of no use.
//
// The error is ErrNotGrowable, and nothing is changed, where the file system is
// of another form.
func Grow(f Device, size int64) error {
	g, err := openGrowth(f, size)
	if err != nil {
		return err
	}
	if err := g.reserveDescriptors(); err != nil {
		return err
	}
	for i := g.old; i < len(g.groups); i++ {
		g.addGroup(i)
	}
	if err := g.addJournal(); err != nil {
		return err
	}
	for i, bits := range g.bitmaps {
		if _, err := f.WriteAt(bits, int64(g.groups[i].blockBitmap)*blockSize); err != nil {
			return err
		}
	}
	return writeSuperblocks(f, g.super, len(g.groups), g.descriptors())
}

// growth is a file system while it grows.
type growth struct {
	f Device
	layout
	super   superblock
	old     int            // groups before
	end     uint32         // blocks before
	bitmaps map[int]bitmap // those of groups' blocks that are to be written
	uninit  map[int]bool   // the groups without
}

func openGrowth(f Device, size int64) (*growth, error) {
	g := &growth{f: f, bitmaps: map[int]bitmap{}, uninit: map[int]bool{}}
	raw := make([]byte, superblockSize)
	if _, err := f.ReadAt(raw, superblockAt); err != nil {
		return nil, err
	}
	if _, err := binary.Decode(raw, binary.LittleEndian, &g.super); err != nil || !g.super.plausible() {
		return nil, ErrNotExt4
	}
	if !g.super.isOurs() {
		return nil, ErrNotGrowable
	}
	g.end, g.inodesPerGroup = g.super.Blocks, g.super.InodesPerGroup
	g.old = int((g.end + blocksPerGroup - 1) / blocksPerGroup)
	g.blocks = max(g.end, g.fitting(uint32(min(size/blockSize, maxBlocks))))
	g.groups = make([]group, (g.blocks+blocksPerGroup-1)/blocksPerGroup)
	if g.old > len(g.groups) || uint32(g.old) != g.super.Inodes/g.inodesPerGroup {
		return nil, ErrNotGrowable
	}
	return g, g.readDescriptors()
}

// isOurs reports whether a file system has the geometry that Writer gives, and
// nothing that was added to it.
func (s *superblock) isOurs() bool {
	return s.Compat == ourCompat && s.Incompat&^incompatEAInode == ourIncompat && s.ROCompat == ourROCompat &&
		s.State == stateClean && s.JournalInode == 0 && s.LogBlockSize == 2 && s.FirstDataBlock == 0 &&
		s.BlocksPerGroup == blocksPerGroup && s.InodeSize == inodeSize && s.FirstInode == firstInode &&
		s.InodesPerGroup%inodesPerBlock == 0 && s.InodesPerGroup <= 8*blockSize && s.Blocks <= maxBlocks
}

// fitting returns blocks without a last group that has no room for its tables.
func (g *growth) fitting(blocks uint32) uint32 {
	last := blocks / blocksPerGroup
	if rest := blocks % blocksPerGroup; last >= uint32(g.old) && rest < superArea+2+g.tableBlocks()+minGroupSpace {
		return last * blocksPerGroup
	}
	return blocks
}

func (g *growth) readDescriptors() error {
	raw := make([]byte, g.old*descSize)
	if _, err := g.f.ReadAt(raw, blockSize); err != nil {
		return err
	}
	le := binary.LittleEndian
	for i := range g.old {
		d := raw[i*descSize:]
		g.groups[i] = group{
			blockBitmap: le.Uint32(d[0:]), inodeBitmap: le.Uint32(d[4:]), inodeTable: le.Uint32(d[8:]),
			freeBlocks: uint32(le.Uint16(d[12:])), freeInodes: uint32(le.Uint16(d[14:])), directories: uint32(le.Uint16(d[16:])),
		}
		if t := g.groups[i]; max(t.blockBitmap, t.inodeBitmap, t.inodeTable) >= g.end {
			return ErrNotGrowable
		}
	}
	return nil
}

// bitmap returns the blocks that a group uses, to be written in the end.
func (g *growth) bitmap(i int) (bitmap, error) {
	if bits := g.bitmaps[i]; bits != nil {
		return bits, nil
	}
	bits := make(bitmap, blockSize)
	if _, err := g.f.ReadAt(bits, int64(g.groups[i].blockBitmap)*blockSize); err != nil {
		return nil, err
	}
	g.bitmaps[i] = bits
	return bits, nil
}

// reserveDescriptors takes the blocks of more group descriptors, and gives the
// old last group what it lacked.
func (g *growth) reserveDescriptors() error {
	before := layout{groups: g.groups[:g.old]}
	more := run{1 + before.descBlocks(), g.descBlocks() - before.descBlocks()}
	for i := range g.old {
		if more.count == 0 || !hasSuper(uint32(i)) {
			continue
		}
		bits, err := g.bitmap(i)
		if err != nil {
			return err
		}
		used := bits.count()
		bits.set(more)
		if bits.count() != used+more.count {
			return fmt.Errorf("no room for group descriptors: %w", ErrNotGrowable)
		}
		g.groups[i].freeBlocks -= more.count
		g.super.FreeBlocks -= more.count
	}
	last := g.old - 1
	had, has := g.end-uint32(last)*blocksPerGroup, g.size(last)
	if has == had {
		return nil
	}
	bits, err := g.bitmap(last)
	if err != nil {
		return err
	}
	bits.clear(run{had, has - had})
	g.groups[last].freeBlocks += has - had
	g.super.FreeBlocks += has - had
	return nil
}

// addGroup lays out a new group: its tables come first in it.
func (g *growth) addGroup(i int) {
	first := uint32(i) * blocksPerGroup
	at := first
	if hasSuper(uint32(i)) {
		at += 1 + g.descBlocks()
	}
	used := at + 2 + g.tableBlocks() - first
	g.groups[i] = group{
		blockBitmap: at, inodeBitmap: at + 1, inodeTable: at + 2,
		freeBlocks: g.size(i) - used, freeInodes: g.inodesPerGroup,
	}
	g.uninit[i] = true
	if i == len(g.groups)-1 {
		g.initBitmap(i) // e2fsck wants the last one's
	}
	g.super.FreeBlocks += g.size(i) - used
	g.super.Inodes += g.inodesPerGroup
	g.super.FreeInodes += g.inodesPerGroup
}

// initBitmap has the blocks that a new group uses written.
func (g *growth) initBitmap(i int) {
	bits := newBitmap(g.size(i))
	bits.set(run{0, g.tablesEnd(i) - uint32(i)*blocksPerGroup})
	g.bitmaps[i] = bits
}

// descriptors are those of all groups, with their checksums.
func (g *growth) descriptors() []byte {
	g.super.Blocks = g.blocks
	g.super.ROCompat |= roCompatGroupSums
	all := g.layout.descriptors()
	for i := range g.groups {
		d := all[i*descSize:][:descSize]
		flags := uint16(inodesZeroed)
		if g.uninit[i] && g.bitmaps[i] == nil {
			flags |= blocksUninit
		}
		if g.uninit[i] {
			flags |= inodesUninit
			binary.LittleEndian.PutUint16(d[28:], uint16(g.inodesPerGroup)) // unused at the table's end
		}
		binary.LittleEndian.PutUint16(d[18:], flags)
		binary.LittleEndian.PutUint16(d[30:], g.super.groupSum(uint32(i), d))
	}
	return all
}

// groupSum is a group descriptor's checksum.
func (s *superblock) groupSum(number uint32, descriptor []byte) uint16 {
	sum := crc16(0xffff, s.UUID[:])
	sum = crc16(sum, binary.LittleEndian.AppendUint32(nil, number))
	return crc16(sum, descriptor[:30])
}

// crc16 goes on with a sum of the polynomial 0x8005, the lowest bit first.
func crc16(sum uint16, data []byte) uint16 {
	for _, b := range data {
		sum ^= uint16(b)
		for range 8 {
			low := sum & 1
			if sum >>= 1; low != 0 {
				sum ^= 0xa001
			}
		}
	}
	return sum
}
