package ext4

// minInodesPerGroup leaves inodes to a small file system that is grown: one for
// each 16 KiB, as mke2fs does. A table that is not used is a hole.
const minInodesPerGroup = 8192

// layout is where the tables are. With flex_bg they need not lie in the groups
// that they describe: all come one after another behind the content.
type layout struct {
	content        uint32 // the blocks before the tables
	blocks         uint32 // in all
	inodesPerGroup uint32
	groups         []group
}

// group is a group descriptor.
type group struct {
	inodeTable, inodeBitmap, blockBitmap uint32
	freeBlocks, freeInodes, directories  uint32
}

// tableBlocks is the length of a group's inode table.
func (l *layout) tableBlocks() uint32 { return l.inodesPerGroup / inodesPerBlock }

// descBlocks is how many blocks the group descriptors take.
func (l *layout) descBlocks() uint32 {
	return (uint32(len(l.groups)) + descPerBlock - 1) / descPerBlock
}

// size is the number of a group's blocks.
func (l *layout) size(group int) uint32 {
	return min(l.blocks-uint32(group)*blocksPerGroup, blocksPerGroup)
}

// layOut finds the number of groups, on which the length of the tables
// depends, which the number of groups depends on.
func (w *Writer) layOut() (*layout, error) {
	for groups := w.out.space.next/blocksPerGroup + 1; groups <= maxGroups; groups++ {
		inodes := (w.inodes.count + groups - 1) / groups
		inodes = (inodes + inodesPerBlock - 1) / inodesPerBlock * inodesPerBlock
		if inodes > 8*blockSize {
			continue // more than a bitmap has bits
		}
		l := place(w.out.space, groups, max(inodes, minInodesPerGroup))
		if l.blocks > groups*blocksPerGroup {
			continue
		}
		if l.blocks > w.out.limit {
			break
		}
		return l, nil
	}
	return nil, w.out.tooLarge()
}

// place gives the tables of a number of groups their blocks.
func place(free space, groups, inodesPerGroup uint32) *layout {
	l := &layout{content: free.next, inodesPerGroup: inodesPerGroup, groups: make([]group, groups)}
	for i := range l.groups {
		l.groups[i].inodeTable = free.take(l.tableBlocks())
	}
	for i := range l.groups {
		l.groups[i].inodeBitmap = free.take(1)
		l.groups[i].blockBitmap = free.take(1)
	}
	l.blocks = free.next
	if groups > 1 {
		// resize2fs cuts a last group off that is smaller than this.
		const spare = 50
		least := superArea + 2 + l.tableBlocks() + spare
		l.blocks = max(l.blocks, (groups-1)*blocksPerGroup+least)
	}
	return l
}

// writeInodes writes the inode tables and the inodes' bitmaps.
func (w *Writer) writeInodes(l *layout) error {
	table := make([]byte, l.tableBlocks()*blockSize)
	number := uint32(1)
	for i := range l.groups {
		g := &l.groups[i]
		used := newBitmap(l.inodesPerGroup)
		clear(table)
		filled := uint32(0)
		for ; filled < l.inodesPerGroup && number <= w.inodes.count; filled++ {
			n := w.inodes.at(number)
			if n.links > 0 || number < firstInode {
				used.set(run{filled, 1})
				g.freeInodes-- // of all, see below
			}
			if n.isDir() {
				g.directories++
			}
			n.encode(table[filled*inodeSize:])
			number++
		}
		g.freeInodes += l.inodesPerGroup
		filled = (filled + inodesPerBlock - 1) / inodesPerBlock
		if err := w.out.writeAt(g.inodeTable, table[:filled*blockSize]); err != nil {
			return err
		}
		if err := w.out.writeAt(g.inodeBitmap, used); err != nil {
			return err
		}
	}
	return nil
}

// writeBlockBitmaps writes which blocks are taken.
func (w *Writer) writeBlockBitmaps(l *layout) error {
	taken := w.takenBlocks(l)
	for i := range l.groups {
		g := &l.groups[i]
		part := taken[i*blockSize : (i+1)*blockSize]
		size := l.size(i)
		g.freeBlocks = size - part.count()
		part.set(run{size, blocksPerGroup - size})
		if err := w.out.writeAt(g.blockBitmap, part); err != nil {
			return err
		}
	}
	return nil
}

// takenBlocks has a bit for every block. Taken are all that were handed out
// but for those given back, and the tables; in the places of superblocks, what
// is really used.
func (w *Writer) takenBlocks(l *layout) bitmap {
	taken := make(bitmap, len(l.groups)*blockSize)
	taken.set(run{0, l.content})
	for i, g := range l.groups {
		if first := uint32(i) * blocksPerGroup; hasSuper(uint32(i)) {
			taken.clear(run{first, superArea})
			taken.set(run{first, 1 + l.descBlocks()})
		}
		taken.set(run{g.inodeTable, l.tableBlocks()})
		taken.set(run{g.inodeBitmap, 1})
		taken.set(run{g.blockBitmap, 1})
	}
	for _, r := range w.freed {
		taken.clear(r)
	}
	return taken
}
