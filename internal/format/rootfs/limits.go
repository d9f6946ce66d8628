package rootfs

import (
	"archive/tar"
	"fmt"
	"sync/atomic"
)

// Limits bound what a source may hold, hidden or not. 0 is no limit.
type Limits struct {
	Bytes   int64 // of its tars, decompressed; the holes of files are free
	Entries int64 // what is kept in memory of them is bounded too
	Layers  int
}

// keptPerEntry is how many bytes of names, links' targets and extended
// attributes an entry may have on average of as many as the limit allows.
const keptPerEntry = 64

// LimitError says which limit a source exceeds.
type LimitError struct {
	What  string // "bytes", "entries" or "layers"
	Limit int64
}

func (e *LimitError) Error() string {
	switch {
	case e.What == kept:
		return fmt.Sprintf("its names, links and extended attributes take more than %d MiB", e.Limit>>20)
	case e.What == "bytes" && e.Limit >= 1<<20:
		return fmt.Sprintf("it unpacks to more than %d MiB", e.Limit>>20)
	}
	return fmt.Sprintf("it unpacks to more than %d %s", e.Limit, e.What)
}

// kept is a limit that follows from that of the entries.
const kept = "bytes of names"

// budget is what is used of the limits, by several archives at the same time.
type budget struct {
	limits               Limits
	bytes, entries, kept atomic.Int64
}

func spend(used *atomic.Int64, n, limit int64, what string) error {
	if used.Add(n) > limit && limit > 0 {
		return &LimitError{what, limit}
	}
	return nil
}

func (b *budget) spendBytes(n int64) error { return spend(&b.bytes, n, b.limits.Bytes, "bytes") }

// spendEntry counts an entry as it came.
func (b *budget) spendEntry(hdr *tar.Header) error {
	if err := spend(&b.entries, 1, b.limits.Entries, "entries"); err != nil {
		return err
	}
	_, base := split(hdr.Name)
	n := len(base)
	if hdr.Typeflag == tar.TypeSymlink {
		n += len(hdr.Linkname)
	}
	for key, value := range hdr.PAXRecords {
		if isXattr(key) {
			n += len(key) + len(value)
		}
	}
	return spend(&b.kept, int64(n), b.limits.Entries*keptPerEntry, kept)
}
