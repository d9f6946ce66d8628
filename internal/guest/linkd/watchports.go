package linkd

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"banger/internal/guest/sockets"
)

// portsRate is how often the guest's ports are looked at, where somebody wants to
// know. The kernel tells of sockets that go (SKNLGRP_INET_TCP_DESTROY), and of
// those that begin to listen only eBPF.
const portsRate = 500 * time.Millisecond

// watchPorts says which ports programs listen on, and again when they are others,
// until the host has lost interest.
func watchPorts(stream io.ReadWriter) {
	gone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, stream)
		close(gone)
	}()
	rate := time.NewTicker(portsRate)
	defer rate.Stop()
	lines := json.NewEncoder(stream)
	said := []uint16{0} // what nobody listens on
	for {
		if now := sockets.Ports("/proc"); !slices.Equal(now, said) {
			if lines.Encode(now) != nil {
				return
			}
			said = now
		}
		select {
		case <-rate.C:
		case <-gone:
			return
		}
	}
}
