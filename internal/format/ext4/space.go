package ext4

// run is a number of consecutive blocks.
type run struct{ start, count uint32 }

// space hands out blocks in ascending order. It passes over the places of
// superblocks and of the group descriptors behind them.
type space struct{ next uint32 }

// take hands out consecutive blocks, fewer than a group has, and returns the
// first.
func (s *space) take(count uint32) uint32 {
	start := s.next
	for group := start / blocksPerGroup; group*blocksPerGroup < start+count; group++ {
		area := group*blocksPerGroup + superArea
		if start < area && hasSuper(group) {
			start = area
		}
	}
	s.next = start + count
	return start
}

// each calls visit for the next count blocks, in runs.
func (s *space) each(count uint32, visit func(run)) {
	for count > 0 {
		start := s.take(1)
		n := min(count, blocksPerGroup-start%blocksPerGroup)
		visit(run{start, n})
		s.next = start + n
		count -= n
	}
}

// hasSuper reports whether a group begins with a superblock: the first, and the
// powers of 3, 5 and 7 (sparse_super).
func hasSuper(group uint32) bool {
	if group <= 1 {
		return true
	}
	for _, base := range []uint32{3, 5, 7} {
		power := base
		for power < group {
			power *= base
		}
		if power == group {
			return true
		}
	}
	return false
}
