package supervisor

import "runtime/debug"

// A guest decides how much is done here, and so how much garbage there is. What
// is in use is bounded where it arises; this has the garbage make way for it in
// time. The program's own pages, about 20 MiB, come on top.
const (
	memoryLimit = 62 << 20 // bytes
	garbage     = 50       // percent of what is in use
)

func limitMemory() {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(garbage)
}
