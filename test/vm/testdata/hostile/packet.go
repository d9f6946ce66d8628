package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

// wire is the card, on which any frame can be sent.
type wire struct {
	fd   int
	to   unix.SockaddrLinklayer
	mac  net.HardwareAddr // the guest's
	gate net.HardwareAddr
}

// openWire opens the card to the host.
func openWire() (*wire, error) {
	cards, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, card := range cards {
		if card.Flags&net.FlagLoopback != 0 || len(card.HardwareAddr) != 6 || card.Flags&net.FlagUp == 0 {
			continue
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return nil, os.NewSyscallError("socket", err)
		}
		w := &wire{fd: fd, to: unix.SockaddrLinklayer{Ifindex: card.Index, Halen: 6}, mac: card.HardwareAddr}
		w.gate, err = gateMAC()
		copy(w.to.Addr[:], w.gate)
		return w, err
	}
	return nil, fmt.Errorf("no card")
}

func gateMAC() (net.HardwareAddr, error) {
	net.Dial("udp4", gateway(9)) // so that it is asked for
	table, err := os.ReadFile("/proc/net/arp")
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[0] == agentapi.GatewayIP {
			return net.ParseMAC(fields[3])
		}
	}
	return net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, err
}

func (w *wire) send(kind uint16, from net.HardwareAddr, payload []byte) {
	frame := append(append([]byte{}, w.gate...), from...)
	frame = append(binary.BigEndian.AppendUint16(frame, kind), payload...)
	unix.Sendto(w.fd, frame, 0, &w.to)
}

// flood sends what next makes, for ever.
func flood(count *atomic.Int64, next func(w *wire, turn int)) error {
	w, err := openWire()
	if err != nil {
		return err
	}
	for turn := 0; ; turn++ {
		next(w, turn)
		count.Add(1)
	}
}

// neighbour is an address of the guest's network, or nearly.
func neighbour() [4]byte { return [4]byte{192, 168, byte(rand.N(256)), byte(rand.N(256))} }

func address(text string) netip.AddrPort {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		a = netip.MustParseAddrPort(nowhere)
	}
	return a
}

// halfOpen begins connections of addresses that are not the guest's, and says
// that they are there.
func halfOpen(t target, count *atomic.Int64) error {
	to := address(t.sink)
	return flood(count, func(w *wire, turn int) {
		from := neighbour()
		if turn%2 == 0 {
			w.sendARP(2, from, [4]byte{192, 168, 127, 1})
		}
		segment := make([]byte, 20)
		binary.BigEndian.PutUint16(segment, uint16(rand.N(65536)))
		binary.BigEndian.PutUint16(segment[2:], to.Port())
		binary.BigEndian.PutUint32(segment[4:], rand.Uint32())
		segment[12], segment[13] = 5<<4, 2 // SYN
		binary.BigEndian.PutUint16(segment[14:], 65535)
		pseudo := append(append([]byte{}, from[:]...), to.Addr().AsSlice()...)
		pseudo = append(pseudo, 0, unix.IPPROTO_TCP, 0, 20)
		binary.BigEndian.PutUint16(segment[16:], checksum(append(pseudo, segment...)))
		w.send(unix.ETH_P_IP, w.mac, packet(unix.IPPROTO_TCP, from, to.Addr().As4(), 0, segment))
	})
}

// fragments sends beginnings and middles of packets whose rest never comes.
func fragments(_ target, count *atomic.Int64) error {
	gate := netip.MustParseAddr(agentapi.GatewayIP).As4()
	guest := netip.MustParseAddr(agentapi.GuestIP).As4()
	return flood(count, func(w *wire, turn int) {
		const more = 0x2000
		offset := uint16(0)
		if turn%2 == 1 {
			offset = uint16(1 + rand.N(1000))
		}
		w.send(unix.ETH_P_IP, w.mac, packet(unix.IPPROTO_UDP, guest, gate, more|offset, make([]byte, 8*(1+rand.N(6000)))))
	})
}

func packet(protocol byte, from, to [4]byte, fragment uint16, payload []byte) []byte {
	p := make([]byte, 20, 20+len(payload))
	p[0], p[8], p[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(p[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(p[4:], uint16(rand.N(65536)))
	binary.BigEndian.PutUint16(p[6:], fragment)
	copy(p[12:], from[:])
	copy(p[16:], to[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p))
	return append(p, payload...)
}

// checksum is RFC 1071's.
func checksum(data []byte) uint16 {
	sum := uint32(0)
	for i, b := range data {
		sum += uint32(b) << (8 * ((i + 1) % 2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func (w *wire) sendARP(op uint16, from, to [4]byte) {
	p := []byte{0, 1, 8, 0, 6, 4}
	p = append(binary.BigEndian.AppendUint16(p, op), w.mac...)
	p = append(append(p, from[:]...), w.gate...)
	w.send(unix.ETH_P_ARP, w.mac, append(p, to[:]...))
}

// arp asks for, and claims to be, anybody.
func arp(_ target, count *atomic.Int64) error {
	gate := netip.MustParseAddr(agentapi.GatewayIP).As4()
	return flood(count, func(w *wire, turn int) { w.sendARP(uint16(1+turn%2), neighbour(), gate) })
}

// frames sends what is no frame, or one of a protocol that nobody speaks.
func frames(_ target, count *atomic.Int64) error {
	return flood(count, func(w *wire, _ int) {
		junk := make([]byte, rand.N(3000))
		for i := range junk {
			junk[i] = byte(rand.Uint32())
		}
		from := net.HardwareAddr{2, byte(rand.Uint32()), byte(rand.Uint32()), 0, 0, 1}
		kind := uint16(unix.ETH_P_IP)
		if rand.N(2) == 0 {
			kind = uint16(rand.Uint32())
		}
		if len(junk) > 0 && rand.N(2) == 0 {
			junk[0] = 0x45
		}
		w.send(kind, from, junk)
	})
}
