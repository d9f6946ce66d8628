// Package bundle unpacks and packs .tar.zst bundles: archives of a few files
// and of one directory tree.
//
// It takes a bundle's bytes for hostile: nothing is written outside the given
// root, and whatever is not a plain, whole, bounded archive of the expected
// names is refused with an *Error that says why. It unpacks in one pass and in
// memory that does not grow with the bundle. It does not know where bundles
// come from, nor whether one is the one that was asked for.
//
// The formats are POSIX.1-2017's pax and ustar with GNU's extensions, and RFC
// 8878.
package bundle

import "fmt"

// Bounds that no bundle may exceed, whatever its Options say.
const (
	MaxEntries = 100_000
	MaxBytes   = 4 << 30
	maxText    = 16 << 20  // bytes of names and links' targets, which are kept in memory
	maxWindow  = 128 << 20 // bytes of memory that a zstd frame may ask for
)

// Options says what a bundle holds.
type Options struct {
	Files      []string // names that a plain file may have at the top
	Dir        string   // the one directory at the top; "" for none
	MaxEntries int      // 0 is MaxEntries
	MaxBytes   int64    // of all files together; 0 is MaxBytes

	// Room is asked before so many bytes are written, where it is not nil. Its
	// error ends the unpacking.
	Room func(bytes int64) error
}

func (o Options) maxEntries() int {
	if o.MaxEntries <= 0 {
		return MaxEntries
	}
	return min(o.MaxEntries, MaxEntries)
}

func (o Options) maxBytes() int64 {
	if o.MaxBytes <= 0 {
		return MaxBytes
	}
	return min(o.MaxBytes, MaxBytes)
}

// File is a plain file that was unpacked.
type File struct {
	Path   string // slash-separated, relative to the bundle's root
	SHA256 string // hex digits
	Size   int64  // bytes
}

// Error says why a bundle is refused.
type Error struct {
	Entry string // the entry at fault, "" where it is the bundle as a whole
	Why   string
}

func (e *Error) Error() string {
	if e.Entry == "" {
		return "the bundle " + e.Why
	}
	return fmt.Sprintf("the bundle's entry %q %s", e.Entry, e.Why)
}
