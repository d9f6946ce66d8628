package ext4

// writeInodes writes the inode tables and counts what each group has.
func (w *Writer) writeInodes(l *layout) error {
	for group := range l.groups {
		first := int(group * l.inodesPerGroup)
		used := min(len(w.inodes), first+int(l.inodesPerGroup))
		table := make([]byte, int(l.tableBlocks())*blockSize)
		bitmap := newBitmap(int(l.inodesPerGroup))
		l.freeInodes[group] = l.inodesPerGroup
		for i := first; i < used; i++ {
			n := &w.inodes[i]
			if n.links == 0 && i >= firstInode-1 {
				continue
			}
			n.encode(table[(i-first)*inodeSize:])
			bitmap.set(i - first)
			l.freeInodes[group]--
			if n.isDir() {
				l.directories[group]++
			}
		}
		if err := w.writeAt(l.tables[group], table); err != nil {
			return err
		}
		if err := w.writeAt(l.inodeBitmaps[group], bitmap); err != nil {
			return err
		}
	}
	return nil
}

// writeBitmaps writes which blocks are taken: all that were handed out, but for
// those given back; the superblocks' places; the tables.
func (w *Writer) writeBitmaps(l *layout) error {
	all := newBlockMap(l)
	for group := range l.groups {
		if hasSuper(group) {
			all.set(run{group * blocksPerGroup, 1 + l.descBlocks()})
		}
		all.set(run{l.tables[group], l.tableBlocks()})
		all.set(run{l.inodeBitmaps[group], 1})
		all.set(run{l.blockBitmaps[group], 1})
	}
	for i := range w.inodes {
		for _, r := range w.inodes[i].owned {
			all.set(r)
		}
	}
	for group := range l.groups {
		size := min(l.blocks-group*blocksPerGroup, blocksPerGroup)
		l.freeBlocks[group] = size - all.count(group)
		if err := w.writeAt(l.blockBitmaps[group], all.bitmap(group, size)); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) writeAt(block uint32, data []byte) error {
	_, err := w.out.file.WriteAt(data, int64(block)*blockSize)
	return err
}
