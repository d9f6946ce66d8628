package usernet

import (
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"banger/internal/hostname"
	"banger/internal/smallfile"
)

// maxHosts is more than lists of unwanted hosts have, in bytes.
const maxHosts = 16 << 20

// hostNames are the names in the host's hosts(5), which its own programs know
// beside those of name servers. They are read anew when the file has changed.
type hostNames struct {
	path string

	mu       sync.Mutex
	modified time.Time
	size     int64
	of       map[string][]netip.Addr
}

// lookup returns the addresses of a name.
func (h *hostNames) lookup(name string) []netip.Addr {
	info, err := os.Stat(h.path)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil || h.changed(info) {
		text, err := smallfile.Read(h.path, maxHosts)
		if err != nil {
			return nil
		}
		h.of, h.modified, h.size = parseHosts(string(text)), info.ModTime(), info.Size()
	}
	return h.of[name]
}

func (h *hostNames) changed(info fs.FileInfo) bool {
	return !info.ModTime().Equal(h.modified) || info.Size() != h.size
}

// parseHosts reads a hosts(5), but for addresses of IPv6.
func parseHosts(text string) map[string][]netip.Addr {
	of := map[string][]netip.Addr{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		address, err := netip.ParseAddr(fields[0])
		if err != nil || !address.Is4() {
			continue
		}
		for _, name := range fields[1:] {
			name = hostname.Canonical(name)
			if name == "localhost" || strings.HasSuffix(name, ".localhost") || slices.Contains(of[name], address) {
				continue // each machine is its own
			}
			of[name] = append(of[name], address)
		}
	}
	return of
}

// answerHosts answers for a name in the host's hosts(5), or returns nil. What is the
// host's loopback there is the host in the guest, where that may reach it.
func (n *Network) answerHosts(query []byte, q question) []byte {
	if q.kind != typeA && q.kind != typeAAAA {
		return nil
	}
	var records [][]byte
	for _, address := range n.hosts.lookup(hostname.Canonical(q.name)) {
		switch {
		case !address.IsLoopback():
			records = append(records, address.AsSlice())
		case n.options.HostLoopback && records == nil:
			records = append(records, host.AsSlice())
		}
	}
	switch {
	case records == nil:
		return nil
	case q.kind == typeAAAA:
		return answer(query, q, noError)
	}
	return answerWith(query, q, records...)
}
