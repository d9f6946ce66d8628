package ext4

// Close writes directories, inodes, bitmaps and superblocks, and cuts the file
// to its final size. Before that it holds no file system.
func (w *Writer) Close() error {
	if err := w.writeDirectories(); err != nil {
		return err
	}
	l, err := w.layOut()
	if err != nil {
		return err
	}
	if err := w.writeInodes(l); err != nil {
		return err
	}
	if err := w.writeBitmaps(l); err != nil {
		return err
	}
	if err := w.out.flush(); err != nil {
		return err
	}
	if err := w.writeSuperblocks(l); err != nil {
		return err
	}
	return w.out.file.Truncate(int64(l.blocks) * blockSize)
}

// layout is where the tables are. With flex_bg they need not lie in the groups
// that they describe: all come one after another behind the content.
type layout struct {
	groups         uint32
	blocks         uint32 // in all
	inodesPerGroup uint32
	tables         []uint32 // where each group's inode table begins
	inodeBitmaps   []uint32
	blockBitmaps   []uint32
	freeBlocks     []uint32 // of each group
	freeInodes     []uint32
	directories    []uint32
}

// tableBlocks is the length of a group's inode table.
func (l *layout) tableBlocks() uint32 { return l.inodesPerGroup / inodesPerBlock }

// layOut finds the number of groups, on which the length of the tables
// depends, which the number of groups depends on.
func (w *Writer) layOut() (*layout, error) {
	for groups := uint32(1); groups <= maxGroups; groups++ {
		inodes := (uint32(len(w.inodes)) + groups - 1) / groups
		inodes = (inodes + inodesPerBlock - 1) / inodesPerBlock * inodesPerBlock
		if inodes > blocksPerGroup {
			continue // more than a bitmap has bits
		}
		l := &layout{groups: groups, inodesPerGroup: inodes}
		end := w.place(l)
		if end <= groups*blocksPerGroup {
			l.blocks = l.lastGroupEnd(end)
			if int64(l.blocks) > w.out.limit {
				return nil, ErrTooLarge
			}
			l.freeBlocks = make([]uint32, groups)
			l.freeInodes = make([]uint32, groups)
			l.directories = make([]uint32, groups)
			return l, nil
		}
	}
	return nil, ErrTooLarge
}

// place gives the tables their blocks and returns the first block after them.
// A table lies in one piece, which a superblock's place may not interrupt.
func (w *Writer) place(l *layout) uint32 {
	next := w.out.next
	take := func(count uint32) uint32 {
		next = afterSuper(next, count)
		start := next
		next += count
		return start
	}
	l.tables, l.inodeBitmaps, l.blockBitmaps = nil, nil, nil
	for range l.groups {
		l.tables = append(l.tables, take(l.tableBlocks()))
	}
	for range l.groups {
		l.inodeBitmaps = append(l.inodeBitmaps, take(1))
		l.blockBitmaps = append(l.blockBitmaps, take(1))
	}
	return next
}

// afterSuper returns the first block from start on at which count blocks lie
// clear of any superblock's place.
func afterSuper(start, count uint32) uint32 {
	for group := start / blocksPerGroup; group <= (start+count-1)/blocksPerGroup; group++ {
		begin := group * blocksPerGroup
		end := begin + 1 + gdtReserve
		if hasSuper(group) && start < end && start+count > begin {
			return afterSuper(end, count)
		}
	}
	return start
}

// lastGroupEnd makes the last group long enough for a superblock that it may
// begin with, and no longer than needed.
func (l *layout) lastGroupEnd(end uint32) uint32 {
	begin := (l.groups - 1) * blocksPerGroup
	if hasSuper(l.groups - 1) {
		return max(end, begin+1+gdtReserve)
	}
	return max(end, begin+1)
}

// descBlocks is how many blocks the group descriptors take.
func (l *layout) descBlocks() uint32 { return (l.groups + descPerBlock - 1) / descPerBlock }
