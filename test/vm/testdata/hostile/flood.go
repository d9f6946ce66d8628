package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// datagrams sends to ports of the sink's host and to nobody, from more ports than
// anybody has flows for.
func datagrams(t target, count *atomic.Int64) error {
	sockets := make([]net.PacketConn, 0, 2000)
	for range cap(sockets) {
		if s, err := net.ListenPacket("udp4", ":0"); err == nil {
			sockets = append(sockets, s)
		}
	}
	hosts := []net.IP{address(t.sink).Addr().AsSlice(), net.IPv4(192, 0, 2, 3)}
	for {
		to := &net.UDPAddr{IP: hosts[rand.N(2)], Port: 1 + rand.N(65535)}
		sockets[rand.N(len(sockets))].WriteTo(make([]byte, rand.N(60_000)), to)
		count.Add(1)
	}
}

// pings sends echo requests to nobody.
func pings(_ target, count *atomic.Int64) error {
	conn, err := net.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return err
	}
	for {
		message := make([]byte, 8+rand.N(1400))
		message[0] = 8
		binary.BigEndian.PutUint32(message[4:], rand.Uint32())
		binary.BigEndian.PutUint16(message[2:], checksum(message))
		conn.WriteTo(message, &net.IPAddr{IP: net.IPv4(192, 0, 2, byte(rand.N(256)))})
		count.Add(1)
	}
}

// names asks for names that there cannot be, by datagrams and by connections.
func names(_ target, count *atomic.Int64) error {
	packets, err := net.Dial("udp4", gateway(53))
	if err != nil {
		return err
	}
	go func() {
		for ; ; time.Sleep(time.Millisecond) {
			conn, err := net.DialTimeout("tcp4", gateway(53), time.Second)
			if err != nil {
				continue
			}
			query := randomQuery()
			conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...))
			time.AfterFunc(10*time.Second, func() { conn.Close() })
		}
	}()
	for {
		packets.Write(randomQuery())
		count.Add(1)
	}
}

func randomQuery() []byte {
	query := binary.BigEndian.AppendUint16(nil, uint16(rand.Uint32()))
	query = append(query, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	name := fmt.Sprintf("%x", rand.Uint64())
	query = append(append(query, byte(len(name))), name...)
	query = append(append(query, byte(len("invalid"))), "invalid"...)
	return append(query, 0, 0, 1, 0, 1)
}

// console writes empty lines and lines without an end.
func console(_ target, count *atomic.Int64) error {
	out, err := os.OpenFile("/dev/ttyS0", os.O_WRONLY, 0)
	if err != nil {
		out, err = os.OpenFile("/dev/console", os.O_WRONLY, 0)
	}
	if err != nil {
		return err
	}
	text := make([]byte, 1000)
	for turn := 0; ; turn++ {
		fill := byte('\n')
		if turn/1000%2 == 1 {
			fill = 'x'
		}
		for i := range text {
			text[i] = fill
		}
		n, _ := out.Write(text)
		count.Add(int64(n))
	}
}

// disk fills its file system, again and again.
func disk(_ target, count *atomic.Int64) error {
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(rand.Uint32())
	}
	for {
		f, err := os.Create("/root/full")
		if err != nil {
			return err
		}
		for err == nil {
			_, err = f.Write(block)
		}
		f.Sync()
		f.Close()
		count.Add(1)
	}
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func numbered(n int) string { return strconv.Itoa(n) }
