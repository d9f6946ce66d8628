package main

import (
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

const (
	enoughForNow = 40_000 // connections that were tried
	dialers      = 256
	dialTimeout  = 30 * time.Second
)

// connections makes very many, of which one half sends what nobody reads and the
// other does not read what is sent, and keeps them. Those that are refused it
// tries again at leisure.
func connections(t target, count *atomic.Int64) error {
	var held sync.Map
	turns := make(chan struct{}, dialers)
	for i := 0; ; i++ {
		if i > enoughForNow {
			time.Sleep(10 * time.Millisecond)
		}
		turns <- struct{}{}
		to := t.sink
		if i%2 == 1 {
			to = t.source
		}
		go func() {
			defer func() { <-turns }()
			conn, err := net.DialTimeout("tcp4", to, dialTimeout)
			count.Add(1)
			if err != nil {
				return
			}
			held.Store(i, conn) // or it would be collected, and closed
			conn.SetWriteDeadline(time.Now().Add(time.Second))
			conn.Write(make([]byte, 256<<10))
		}()
	}
}

// linkPort says to the supervisor what no agent says.
func linkPort(_ target, count *atomic.Int64) error {
	for i := 0; ; i++ {
		conn, err := net.DialTimeout("tcp4", gateway(agentapi.LinkPort), time.Second)
		count.Add(1)
		if err != nil {
			continue
		}
		conn.SetDeadline(time.Now().Add(2 * time.Second))
		garbage(conn, i)
		conn.Close()
	}
}

const (
	warning = `{"kind":"warning","detail":"`
	ready   = `{"kind":"ready","kernel":"`
)

// garbage writes events that are endless, and endlessly many.
func garbage(conn net.Conn, kind int) {
	long := strings.Repeat("x\\u001b]52;", 100<<10)
	text := [][]string{
		{warning, long},                          // a line without end
		{strings.Repeat(warning+"a\"}\n", 1000)}, // no end of lines
		{ready, strings.Repeat("k", 60<<10), "\"}\n"},
		{"\n\n\n", "{", "[[[[[[[[", "\x00\xff"},
		{strings.Repeat("[", 60<<10), "\n"},
	}[kind%5]
	for range 100 {
		for _, part := range text {
			if _, err := conn.Write([]byte(part)); err != nil {
				return
			}
		}
	}
}

// agentLink takes the agent's own link to the supervisor and speaks in its place,
// whenever there is one.
func agentLink(_ target, count *atomic.Int64) error {
	for i := 0; ; i++ {
		time.Sleep(100 * time.Millisecond)
		file := stealLink()
		if file == nil {
			continue
		}
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			continue
		}
		count.Add(1)
		conn.SetDeadline(time.Now().Add(2 * time.Second))
		garbage(conn, i)
		conn.(*net.TCPConn).CloseRead() // the agent hears that and dials again
		conn.(*net.TCPConn).CloseWrite()
		conn.Close()
	}
}

// stealLink duplicates the agent's end of the link.
func stealLink() *os.File {
	processes, _ := os.ReadDir("/proc")
	for _, p := range processes {
		var pid int
		if name, _ := os.ReadFile("/proc/" + p.Name() + "/comm"); !strings.HasPrefix(string(name), "banger") && p.Name() != "1" {
			continue
		}
		if pid = number(p.Name()); pid == 0 {
			continue
		}
		if file := stealFrom(pid); file != nil {
			return file
		}
	}
	return nil
}

func stealFrom(pid int) *os.File {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(process)
	descriptors, _ := os.ReadDir("/proc/" + numbered(pid) + "/fd")
	for _, d := range descriptors {
		fd, err := unix.PidfdGetfd(process, number(d.Name()), 0)
		if err != nil {
			continue
		}
		peer, err := unix.Getpeername(fd)
		if to, ok := peer.(*unix.SockaddrInet4); ok && err == nil && to.Port == agentapi.LinkPort && net.IP(to.Addr[:]).String() == agentapi.GatewayIP {
			return os.NewFile(uintptr(fd), "link")
		}
		unix.Close(fd)
	}
	return nil
}
