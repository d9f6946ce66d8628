package ext4

import (
	"encoding/binary"
)

const (
	journalInode     = 8
	journalMagic     = 0xc03b3998
	journalSuper     = 4 // the kind of block that a journal begins with
	minJournalBlocks = 1024
	maxJournalBlocks = 16384 // 64 MiB
)

// journalBlocks is how long a journal a file system of that many blocks has: as
// mke2fs would make it, up to 64 MiB.
func journalBlocks(blocks uint32) uint32 {
	switch {
	case blocks < 32768:
		return minJournalBlocks
	case blocks < 256<<10:
		return 4096
	case blocks < 512<<10:
		return 8192
	}
	return maxJournalBlocks
}

// addJournal makes a journal in the new part of the file system, where there is
// room: in the first new group, else in what the old last one got.
func (g *growth) addJournal() error {
	for count := journalBlocks(g.blocks); count >= minJournalBlocks; count /= 2 {
		for _, i := range []int{g.old, g.old - 1} {
			if i >= len(g.groups) {
				continue
			}
			from := max(g.tablesEnd(i), g.end)
			if until := uint32(i)*blocksPerGroup + g.size(i); from+count <= until {
				return g.putJournal(i, run{from, count})
			}
		}
	}
	return nil
}

// tablesEnd is the first block behind the tables of a group that was added, and
// nothing of another one.
func (g *growth) tablesEnd(i int) uint32 {
	if !g.uninit[i] {
		return 0
	}
	return g.groups[i].inodeTable + g.tableBlocks()
}

func (g *growth) putJournal(i int, at run) error {
	first := uint32(i) * blocksPerGroup
	if g.uninit[i] {
		g.initBitmap(i)
	}
	bits, err := g.bitmap(i)
	if err != nil {
		return err
	}
	bits.set(run{at.start - first, at.count})
	g.groups[i].freeBlocks -= at.count
	g.super.FreeBlocks -= at.count
	if err := g.writeJournal(at); err != nil {
		return err
	}
	return g.writeJournalInode(at)
}

// writeJournal writes the superblock of an empty journal.
func (g *growth) writeJournal(at run) error {
	block := make([]byte, blockSize)
	for i, v := range []uint32{journalMagic, journalSuper, 0, blockSize, at.count, 1 /* its first block */, 1 /* the first transaction */} {
		binary.BigEndian.PutUint32(block[4*i:], v)
	}
	binary.BigEndian.PutUint32(block[0x40:], 1) // how many file systems use it
	_, err := g.f.WriteAt(block, int64(at.start)*blockSize)
	return err
}

func (g *growth) writeJournalInode(at run) error {
	body := make([]byte, bodySize)
	encodeExtents(body, []extent{{0, at.start, at.count}}, 0, extentsInInode)
	n := inode{mode: modeFile | 0o600, links: 1, flags: flagExtents, size: int64(at.count) * blockSize, blocks: at.count, body: string(body)}
	encoded := make([]byte, inodeSize)
	n.encode(encoded)
	place := int64(g.groups[0].inodeTable)*blockSize + (journalInode-1)*inodeSize
	if _, err := g.f.WriteAt(encoded, place); err != nil {
		return err
	}
	g.super.Compat |= compatHasJournal
	g.super.JournalInode, g.super.JournalBackup = journalInode, 1
	for i := range bodySize / 4 {
		g.super.JournalBlocks[i] = binary.LittleEndian.Uint32(body[4*i:])
	}
	g.super.JournalBlocks[16] = uint32(n.size)
	return nil
}
