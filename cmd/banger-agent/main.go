// Command banger-agent is the /init of every guest's initramfs: it sets the
// guest up, hands over to the image's init and serves the host.
package main

import (
	"os"
	"runtime"

	"banger/internal/guest"
)

// PID 1 becomes the image's init on its first thread: were it another, the
// kernel would put that in the first one's place, and /proc/1 would have no
// root for a moment, in which the service may want to enter it.
func init() { runtime.LockOSThread() }

func main() { os.Exit(guest.Main(os.Args)) }
