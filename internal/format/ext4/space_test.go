package ext4

import (
	"fmt"
	"testing"
)

func TestHasSuper(t *testing.T) {
	var got []uint32
	for g := range uint32(350) {
		if hasSuper(g) {
			got = append(got, g)
		}
	}
	if want := "[0 1 3 5 7 9 25 27 49 81 125 243 343]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestTake(t *testing.T) {
	const group = blocksPerGroup
	tests := []struct{ next, count, start uint32 }{
		{superArea, 1, superArea},
		{0, 1, superArea},
		{group - 1, 1, group - 1},
		{group, 1, group + superArea},
		{group + superArea - 1, 1, group + superArea},
		{group - 1, 2, group + superArea}, // would lie across the place
		{group - 2, 2, group - 2},
		{2*group - 1, 2, 2*group - 1}, // group 2 has no superblock
		{2 * group, 1, 2 * group},
		{3*group - 100, 2048, 3*group + superArea},
		{maxBlocks - 1, 1, maxBlocks - 1},
	}
	for _, test := range tests {
		s := space{test.next}
		if got := s.take(test.count); got != test.start || s.next != got+test.count {
			t.Errorf("%d blocks from %d: got %d, then %d", test.count, test.next, got, s.next)
		}
	}
}

// Blocks handed out one by one are found again in runs.
func TestEach(t *testing.T) {
	for _, count := range []uint32{0, 1, 100, 2 * blocksPerGroup} {
		one, many := space{blocksPerGroup - 50}, space{blocksPerGroup - 50}
		seen := uint32(0)
		many.each(count, func(r run) {
			for i := range r.count {
				if want := one.take(1); r.start+i != want {
					t.Fatalf("of %d: got block %d, want %d", count, r.start+i, want)
				}
			}
			seen += r.count
		})
		if seen != count {
			t.Errorf("got %d of %d blocks", seen, count)
		}
	}
}
