// Package restored is where a guest that was saved, and goes on in another VM,
// hears which: at a port that was open before it was saved, since nothing in a
// guest notices that it was.
//
// It believes who knows the key that the guest had, which no program of the guest
// does.
package restored

import (
	"bufio"
	"crypto/hmac"
	"encoding/json"
	"io"
	"net"
	"sync"
	"time"

	"banger/internal/agentapi"
)

const (
	lineTimeout = 5 * time.Second  // to say what the guest is to become
	endTimeout  = 30 * time.Second // to let it reach its network then
	maxConns    = 16
)

// Guest is what becomes another one.
type Guest interface {
	// HostKey is the key that the guest was saved with.
	HostKey() string
	// Become makes the guest another one, which has no network until Go.
	Become(agentapi.Restore) agentapi.Restored
	Go()
}

// Serve serves hosts until the listener fails.
func Serve(listener net.Listener, guest Guest) {
	turns := make(chan struct{}, maxConns)
	var one sync.Mutex
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		select {
		case turns <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		go func() {
			defer func() { <-turns }()
			defer conn.Close()
			serve(conn, guest, &one)
		}()
	}
}

func serve(conn net.Conn, guest Guest, one *sync.Mutex) {
	conn.SetReadDeadline(time.Now().Add(lineTimeout))
	line, err := bufio.NewReader(io.LimitReader(conn, agentapi.MaxRestore)).ReadBytes('\n')
	var change agentapi.Restore
	if err != nil || json.Unmarshal(line, &change) != nil {
		return
	}
	one.Lock()
	defer one.Unlock()
	if !hmac.Equal(change.Token, agentapi.RestoreToken(guest.HostKey())) {
		return
	}
	answer := guest.Become(change)
	defer guest.Go()
	conn.SetDeadline(time.Now().Add(endTimeout))
	if json.NewEncoder(conn).Encode(answer) == nil {
		io.Copy(io.Discard, conn) // the host closes when the network is there
	}
}
