// Command banger-agent is the /init of every guest's initramfs: it sets the
// guest up, hands over to the image's init and serves the host.
package main

import (
	"os"

	"banger/internal/guest"
)

func main() { os.Exit(guest.Main(os.Args)) }
