package filesync

import "banger/internal/format/tree"

// Settled is what both sides are known to have had of a file that one has sent to the
// other: as it was looked at before, as it was placed, and as it is found there now; the
// zero Entry is none. Nothing is known where somebody has changed it in between: what
// only one side ever had must not be taken for what was alike. Stamps are those of the
// sender and of the other; the zero one has a file read once more.
func Settled(sent, placed, found Entry) (alike Content, from, to tree.Stamp, known bool) {
	none := tree.Stamp{}
	switch {
	case found.Kind == File && found.Content == sent.Content:
		return sent.Content, sent.Stamp, found.Stamp, true
	case found.Kind == File && found.Stamp != none && found.Stamp == placed.Stamp:
		return found.Content, none, found.Stamp, true
	case placed.Kind == File && placed.AsSent(sent):
		return sent.Content, sent.Stamp, none, true
	}
	return Content{}, none, none, false
}

// AsSent reports whether a file that was placed is what was looked at before it was
// sent.
func (e Entry) AsSent(sent Entry) bool {
	return e.Executable == sent.Executable && e.Stamp.Size == sent.Stamp.Size && e.Stamp.MTime == sent.Stamp.MTime
}
