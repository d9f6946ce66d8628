package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// apart marks the process that serves.
const apart = "TALK_APART"

// serveApart serves in a process of its own, and returns when that listens.
func serveApart(web, raw, datagrams string) error {
	if os.Getenv(apart) != "" {
		return serve(web, raw, datagrams)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env, cmd.SysProcAttr, cmd.Stderr = append(os.Environ(), apart+"=1"), &syscall.SysProcAttr{Setsid: true}, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return cmd.Wait()
	}
	fmt.Println(strings.TrimSpace(line), cmd.Process.Pid)
	return nil
}

// serve serves HTTP at one address, and echoes at the others.
func serve(web, raw, udp string) error {
	pages, err := net.Listen("tcp", web)
	if err != nil {
		return err
	}
	datagrams, err := net.ListenPacket("udp", udp)
	if err != nil {
		return err
	}
	echoes, err := net.Listen("tcp", raw)
	if err != nil {
		return err
	}
	fmt.Println(pages.Addr(), echoes.Addr(), datagrams.LocalAddr())
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, standard := range []int{0, 1, 2} { // which whoever started this waits for
		if err := syscall.Dup2(int(null.Fd()), standard); err != nil {
			return err
		}
	}
	go echoPackets(datagrams)
	go echo(echoes)
	server := http.Server{Handler: handler(), Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server.Serve(pages)
}

func echoPackets(socket net.PacketConn) {
	for buf := make([]byte, 1<<16); ; {
		n, from, err := socket.ReadFrom(buf)
		if err != nil {
			return
		}
		socket.WriteTo(buf[:n], from)
	}
}

// echo says everything again, until the client has ended.
func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			io.Copy(conn, conn)
		}()
	}
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	mux.HandleFunc("/take", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%x", sum.Sum(nil))
	})
	mux.HandleFunc("/give", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, much()) })
	mux.HandleFunc("/compressed", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(compressed())
	})
	more := make(chan struct{})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: one\n\n")
		http.NewResponseController(w).Flush()
		select {
		case <-more:
			io.WriteString(w, "data: two\n\n")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/more", func(http.ResponseWriter, *http.Request) { more <- struct{}{} })
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			acceptance(r.Header.Get("Sec-WebSocket-Key")))
		for {
			message, err := readMessage(buffered)
			if err != nil || writeMessage(conn, message, false) != nil {
				return
			}
		}
	})
	return mux
}

// much is the same data each time, which no compression makes less.
func much() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), size) }

// muchSum is its checksum.
func muchSum() string {
	sum := sha256.New()
	io.Copy(sum, much())
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// compressed is some of it.
func compressed() []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	io.CopyN(w, much(), 1<<20)
	w.Close()
	return out.Bytes()
}

// client speaks one version of HTTP, and takes bodies as they come.
func client(version int) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	transport.Protocols.SetHTTP1(version == 1)
	transport.Protocols.SetHTTP2(version == 2)
	transport.Protocols.SetUnencryptedHTTP2(version == 2)
	return &http.Client{Transport: transport}
}
