package share

import (
	"bytes"
	"encoding/binary"
	"io"
	"log"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

type fuzzConn struct{ io.Reader }

func (fuzzConn) Write(p []byte) (int, error) { return len(p), nil }

// FuzzMessages has a server answer any stream. Whatever that is, what is outside the
// directory stays as it is, and no handler meets a fault.
func FuzzMessages(f *testing.F) {
	unix.Umask(0)
	g := &guest{}
	hello := g.pack(opInit, 0, uint32(7), uint32(40), uint64(0))
	for op, parts := range onNode {
		f.Add(append(bytes.Clone(hello), g.pack(op, rootID, parts...)...))
	}
	f.Add(bytes.Join([][]byte{
		hello, g.pack(opLookup, rootID, "file"), g.pack(opOpen, 2, uint64(2)), g.pack(opWrite, 2, writeBody(1, 0, 1, "x")...),
		g.pack(opRead, 2, readBody(1, 0, 9)...), g.pack(opOpendir, rootID, uint64(0)), g.pack(opReaddirplus, rootID, readBody(2, 0, 4096)...),
		g.pack(opForget, 2, uint64(1)), g.pack(opRename2, rootID, uint64(1), uint64(0), "file", "new"),
	}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		top := t.TempDir()
		dir := filepath.Join(top, "served")
		os.Mkdir(dir, 0o755)
		os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644)
		os.Symlink("../secret", filepath.Join(dir, "out"))
		os.WriteFile(filepath.Join(top, "secret"), []byte("secret"), 0o644)
		defer os.Chmod(dir, 0o755)
		at, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer at.Close()
		s, err := newShare(at, Owner{}, Options{Files: 8, Log: log.New(testWriter{t}, "", 0)})
		if err != nil {
			t.Fatal(err)
		}
		newStream(fuzzConn{bytes.NewReader(data)}, s).serve()
		for id := range s.files.all {
			s.release(id, s.files.all[id].node.id, s.files.all[id].dir)
		}
		entries, _ := os.ReadDir(top)
		secret, _ := os.ReadFile(filepath.Join(top, "secret"))
		if len(entries) != 2 || string(secret) != "secret" {
			t.Error("something outside has changed")
		}
	})
}

// FuzzVet has any message vetted.
func FuzzVet(f *testing.F) {
	g := &guest{}
	for op, parts := range onNode {
		f.Add(op, g.pack(op, rootID, parts...)[headSize:])
	}
	f.Fuzz(func(t *testing.T, op uint32, body []byte) {
		m := make(message, headSize, headSize+len(body))
		binary.LittleEndian.PutUint32(m[4:], op)
		room, errno := append(m, body...).vet()
		if errno == 0 && (room < smallReply || room > maxMessage) {
			t.Errorf("an answer of %d bytes", room)
		}
	})
}
