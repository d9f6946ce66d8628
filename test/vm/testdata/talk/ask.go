package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// ask prints what comes of each kind of talk.
func ask(web, raw, datagrams string) error {
	for _, kind := range []struct {
		name string
		try  func() (string, error)
	}{
		{"http 1", func() (string, error) { return get(1, "http://"+web+"/version") }},
		{"http 2", func() (string, error) { return get(2, "http://"+web+"/version") }},
		{"websocket", func() (string, error) {
			conn, err := net.Dial("tcp", web)
			if err != nil {
				return "", err
			}
			return askSocket(conn, web, "")
		}},
		{"datagrams", func() (string, error) { return askPackets(datagrams) }},
		{"half closed", func() (string, error) { return askHalf(raw) }},
		{"much there", func() (string, error) { return give(1, web) }},
		{"much back", func() (string, error) { return take(1, web) }},
		{"much by http 2", func() (string, error) { return give(2, web) }},
	} {
		said, err := kind.try()
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		fmt.Printf("%s: %s\n", kind.name, said)
	}
	return nil
}

func get(version int, url string) (string, error) {
	answer, err := client(version).Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	return string(said), err
}

func askPackets(address string) (string, error) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	buf := make([]byte, 1<<16)
	for _, n := range []int{1, 1400, 60000} {
		conn.SetDeadline(time.Now().Add(5 * time.Minute))
		if _, err := conn.Write(make([]byte, n)); err != nil {
			return "", err
		}
		if back, err := conn.Read(buf); err != nil || back != n {
			return "", fmt.Errorf("%d bytes came back of %d: %w", back, n, err)
		}
	}
	return "said again", nil
}

// askHalf ends its half before it reads.
func askHalf(address string) (string, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return "", err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	said, err := io.ReadAll(conn)
	return string(said), err
}

func give(version int, address string) (string, error) {
	answer, err := client(version).Post("http://"+address+"/take", "application/octet-stream", much())
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	return verdict(string(said)), err
}

func take(version int, address string) (string, error) {
	answer, err := client(version).Get("http://" + address + "/give")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, answer.Body)
	return verdict(fmt.Sprintf("%x", sum.Sum(nil))), err
}

func verdict(sum string) string {
	if sum == muchSum() {
		return "the same"
	}
	return "another checksum: " + sum
}

// hold opens connections, has all of them talk once, and says so. For a line of its
// input it has some more talk at the same time, and says that. At the input's end all
// of them talk again.
func hold(address string, idle, busy int) error {
	conns := make([]net.Conn, idle+busy)
	open := func(i int) (err error) {
		if conns[i], err = net.Dial("tcp", address); err != nil {
			return err
		}
		return talk(conns[i])
	}
	if err := each(idle, 50, open); err != nil {
		return err
	}
	fmt.Printf("%d idle\n", idle)
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	if err := each(busy, busy, func(i int) error {
		err := open(idle + i)
		for n := 0; err == nil && n < 20; n++ {
			err = talk(conns[idle+i])
		}
		return err
	}); err != nil {
		return err
	}
	fmt.Printf("%d busy\n", busy)
	io.Copy(io.Discard, in)
	return each(len(conns), 50, func(i int) error { return talk(conns[i]) })
}

// talk has a kilobyte said again.
func talk(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	said := bytes.Repeat([]byte("talk"), 256)
	if _, err := conn.Write(said); err != nil {
		return err
	}
	back := make([]byte, len(said))
	if _, err := io.ReadFull(conn, back); err != nil {
		return err
	}
	if !bytes.Equal(said, back) {
		return fmt.Errorf("something else came back")
	}
	return nil
}

// each does something n times, so many at a time, and returns the last error.
func each(n, atOnce int, do func(i int) error) (last error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	places := make(chan struct{}, atOnce)
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if err := do(i); err != nil {
				mu.Lock()
				last = fmt.Errorf("connection %d: %w", i, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return last
}
