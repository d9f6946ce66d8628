package jail

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The status of a slot is what its two sides, kernel and reader, agree by: who
// has it.

func loadStatus(h *unix.Tpacket2Hdr) uint32 { return atomic.LoadUint32(&h.Status) }

func storeStatus(h *unix.Tpacket2Hdr, status uint32) { atomic.StoreUint32(&h.Status, status) }
