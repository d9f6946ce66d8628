// Package sockets finds what the guest's programs listen on.
package sockets

import (
	"bufio"
	"encoding/hex"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"banger/internal/agentapi"
)

// maxListening bounds what is found.
const maxListening = 1024

// Listening returns the TCP ports that programs listen on, with the first process
// of each. proc is where proc(5) is mounted.
func Listening(proc string) []agentapi.Port {
	var all []agentapi.Port
	byInode := map[string]int{}
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(filepath.Join(proc, name))
		if err != nil {
			continue
		}
		for inode, at := range inState(f, stateListen) {
			if len(all) < maxListening {
				byInode[inode] = len(all)
				all = append(all, agentapi.Port{Address: at.Addr().String(), Port: at.Port()})
			}
		}
		f.Close()
	}
	name(proc, all, byInode)
	slices.SortFunc(all, func(a, b agentapi.Port) int {
		if a.Port != b.Port {
			return int(a.Port) - int(b.Port)
		}
		return strings.Compare(a.Address, b.Address)
	})
	return all
}

// Ports returns the TCP ports that programs listen on, sorted: the first, where
// there are very many. It is cheap whatever connections there are, since the kernel
// lists what listens before them.
func Ports(proc string) []uint16 {
	all := map[uint16]bool{}
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(filepath.Join(proc, name))
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		lines.Scan() // the heading
		for lines.Scan() && len(all) < maxListening {
			fields := strings.Fields(lines.Text())
			if len(fields) < 4 || fields[3] != stateListen {
				break
			}
			if at, ok := address(fields[1]); ok {
				all[at.Port()] = true
			}
		}
		f.Close()
	}
	return slices.Sorted(maps.Keys(all))
}

// Datagrams returns the addresses at which programs receive what is sent to a port
// of UDP.
func Datagrams(proc string, port uint16) (addresses []netip.Addr) {
	for _, name := range []string{"net/udp", "net/udp6"} {
		f, err := os.Open(filepath.Join(proc, name))
		if err != nil {
			continue
		}
		for _, at := range inState(f, stateUnconnected) {
			if at.Port() == port {
				addresses = append(addresses, at.Addr())
			}
		}
		f.Close()
	}
	return addresses
}

// States of sockets, in the kernel's tables.
const (
	stateListen      = "0A" // TCP
	stateUnconnected = "07" // UDP
)

// inState reads of a table such as /proc/net/tcp what is in a state: addresses by
// the sockets' inodes.
func inState(table io.Reader, state string) map[string]netip.AddrPort {
	found := map[string]netip.AddrPort{}
	for lines := bufio.NewScanner(table); lines.Scan() && len(found) < maxListening; {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != state {
			continue
		}
		if at, ok := address(fields[1]); ok {
			found[fields[9]] = at
		}
	}
	return found
}

// address reads one as the kernel writes it: words of four bytes, each in the
// processor's order, of which the last byte comes first.
func address(text string) (at netip.AddrPort, ok bool) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return at, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(number)), ok
}

// name finds the processes that hold sockets.
func name(proc string, all []agentapi.Port, byInode map[string]int) {
	descriptors, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/fd/*"))
	for _, path := range descriptors {
		target, err := os.Readlink(path)
		if err != nil {
			continue
		}
		inode, isSocket := strings.CutPrefix(target, "socket:[")
		i, known := byInode[strings.TrimSuffix(inode, "]")]
		if !isSocket || !known || all[i].PID != 0 {
			continue
		}
		dir := filepath.Dir(filepath.Dir(path))
		all[i].PID, _ = strconv.Atoi(filepath.Base(dir))
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		all[i].Process = strings.TrimSuffix(string(comm), "\n")
	}
}
