package ports

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holder says who has a port of the host, as far as this user may know.
func holder(s Spec) string {
	for _, table := range []string{s.Protocol, s.Protocol + "6"} {
		for _, inode := range sockets("/proc/net/"+table, s) {
			if who := owner("socket:[" + inode + "]"); who != "" {
				return who
			}
		}
	}
	return ""
}

// States of sockets that have a port, in the kernel's tables.
const (
	stateListen      = "0A" // TCP
	stateUnconnected = "07" // UDP
)

// sockets lists the inodes of what listens on a port.
func sockets(table string, s Spec) (inodes []string) {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || !has(fields[1], s.Host()) {
			continue
		}
		if fields[3] == stateListen || fields[3] == stateUnconnected {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

// has reports whether a socket at a local address of the kernel's tables, as they
// write it, keeps others from one.
func has(local string, wanted netip.AddrPort) bool {
	address, port, _ := strings.Cut(local, ":")
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 || port != fmt.Sprintf("%04X", wanted.Port()) {
		return false
	}
	for word := raw; len(word) > 0; word = word[4:] { // each is a number of the machine's
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	at, ok := netip.AddrFromSlice(raw)
	at = at.Unmap()
	return ok && (at == wanted.Addr().Unmap() || at.IsUnspecified() || wanted.Addr().IsUnspecified())
}

// owner finds the process that has a socket open.
func owner(socket string) string {
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err != nil || target != socket {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		argv := strings.Split(string(bytes.TrimRight(command, "\x00")), "\x00")
		if len(argv) > 2 && argv[1] == "supervise" {
			return "vm " + argv[len(argv)-1]
		}
		return fmt.Sprintf("%s (process %d)", filepath.Base(argv[0]), pid)
	}
	return ""
}
