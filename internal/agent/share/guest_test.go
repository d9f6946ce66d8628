package share

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// guest speaks raw messages, whatever they are, to a server of a directory.
type guest struct {
	t      *testing.T
	conn   net.Conn
	in     *bufio.Reader
	unique uint64
	dir    string     // on the host
	ended  chan error // how the server did
	news   [][]byte   // what it said unasked
}

// raw is bytes as they are, where a string has a zero at its end.
type raw string

const testUID, testGID = 0, 0

// connect serves a directory of the test's.
func connect(t *testing.T, dir string, o Options) *guest {
	t.Helper()
	unix.Umask(0)
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	host, theirs := pair(t)
	g := &guest{t: t, conn: theirs, in: bufio.NewReader(theirs), dir: dir, ended: make(chan error, 1)}
	if o.Files == 0 {
		o.Files = 64
	}
	o.Log = log.New(testWriter{t}, "", 0)
	go func() { g.ended <- Serve(host, f, o) }()
	binary.Write(theirs, binary.BigEndian, Owner{testUID, testGID})
	t.Cleanup(func() {
		theirs.Close()
		<-g.ended
		f.Close()
	})
	return g
}

// mounted is connect and a kernel's first message.
func mounted(t *testing.T, dir string, o Options) *guest {
	g := connect(t, dir, o)
	if errno, _ := g.ask(opInit, 0, uint32(7), uint32(40), uint32(1<<20), ^uint32(0), ^uint32(0), make([]byte, 44)); errno != 0 {
		t.Fatal(errno)
	}
	return g
}

type testWriter struct{ t *testing.T }

// Write has a fault in a handler fail the test.
func (w testWriter) Write(p []byte) (int, error) {
	w.t.Errorf("%s", p)
	return len(p), nil
}

func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conns := make([]net.Conn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		defer f.Close()
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
	}
	return conns[0], conns[1]
}

// pack is a message.
func (g *guest) pack(op uint32, node uint64, parts ...any) []byte {
	g.unique++
	var body []byte
	for _, part := range parts {
		switch p := part.(type) {
		case uint32:
			body = binary.LittleEndian.AppendUint32(body, p)
		case uint64:
			body = binary.LittleEndian.AppendUint64(body, p)
		case string:
			body = append(append(body, p...), 0)
		case raw:
			body = append(body, p...)
		case []byte:
			body = append(body, p...)
		default:
			g.t.Fatalf("a part of the kind %T", p)
		}
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(headSize+len(body)))
	head = binary.LittleEndian.AppendUint32(head, op)
	head = binary.LittleEndian.AppendUint64(head, g.unique)
	head = binary.LittleEndian.AppendUint64(head, node)
	head = append(head, make([]byte, headSize-len(head))...) // user, group and process are 0
	return append(head, body...)
}

func (g *guest) say(message []byte) {
	g.t.Helper()
	if _, err := g.conn.Write(message); err != nil {
		g.t.Fatal(err)
	}
}

// hear reads an answer.
func (g *guest) hear() (errno unix.Errno, payload []byte) {
	g.t.Helper()
	head, payload := g.read()
	for binary.LittleEndian.Uint64(head[8:]) == 0 {
		g.news = append(g.news, append(head, payload...))
		head, payload = g.read()
	}
	if unique := binary.LittleEndian.Uint64(head[8:]); unique != g.unique {
		g.t.Fatalf("an answer to %d, not %d", unique, g.unique)
	}
	return unix.Errno(-int32(number(head, 4))), payload
}

func (g *guest) read() (head, payload []byte) {
	g.t.Helper()
	head = make([]byte, replySize)
	if _, err := io.ReadFull(g.in, head); err != nil {
		g.t.Fatal(err)
	}
	payload = make([]byte, number(head, 0)-replySize)
	if _, err := io.ReadFull(g.in, payload); err != nil {
		g.t.Fatal(err)
	}
	return head, payload
}

// awaitNews returns when the server has said something unasked.
func (g *guest) awaitNews(want []byte) {
	g.t.Helper()
	for {
		for i, m := range g.news {
			if bytes.Equal(m, want) {
				g.news = slices.Delete(g.news, i, i+1)
				return
			}
		}
		g.conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
		head, payload := g.read()
		g.conn.SetReadDeadline(time.Time{})
		if binary.LittleEndian.Uint64(head[8:]) != 0 {
			g.t.Fatal("an answer that nobody waits for")
		}
		g.news = append(g.news, append(head, payload...))
	}
}

func (g *guest) ask(op uint32, node uint64, parts ...any) (unix.Errno, []byte) {
	g.t.Helper()
	g.say(g.pack(op, node, parts...))
	return g.hear()
}

// must is ask for what has to be granted.
func (g *guest) must(op uint32, node uint64, parts ...any) []byte {
	g.t.Helper()
	errno, payload := g.ask(op, node, parts...)
	if errno != 0 {
		g.t.Fatalf("operation %d on %d, %v: %v", op, node, parts, errno)
	}
	return payload
}

// lookup returns the number of what a path of names leads to.
func (g *guest) lookup(names ...string) uint64 {
	g.t.Helper()
	node := uint64(rootID)
	for _, name := range names {
		node = binary.LittleEndian.Uint64(g.must(opLookup, node, name))
	}
	return node
}

func (g *guest) open(op uint32, node uint64, flags uint32) (fh uint64) {
	g.t.Helper()
	return binary.LittleEndian.Uint64(g.must(op, node, flags, uint32(0)))
}

func readBody(fh, offset uint64, size uint32) []any {
	return []any{fh, offset, size, uint32(0), uint64(0), uint32(0), uint32(0)}
}

func writeBody(fh, offset uint64, size uint32, data string) []any {
	return []any{fh, offset, size, uint32(0), uint64(0), uint32(0), uint32(0), raw(data)}
}

// files makes a tree: a name that ends with a slash is a directory, one whose
// content begins with -> a link.
func files(t *testing.T, tree map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range tree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case name[len(name)-1] == '/':
			err = os.MkdirAll(path, 0o755)
		case len(content) > 2 && content[:2] == "->":
			err = os.Symlink(content[2:], path)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
