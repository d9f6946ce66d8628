package share

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// While a directory is exchanged for a link that leads out, again and again, nothing
// outside is read, listed, made or changed.
func TestExchangedForALink(t *testing.T) {
	dir, check := outside(t)
	if err := os.WriteFile(filepath.Join(dir, "dir", "key"), []byte("inside"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := mounted(t, dir, Options{})
	stop := make(chan struct{})
	var exchanging sync.WaitGroup
	exchanging.Go(func() {
		a, b := filepath.Join(dir, "dir"), filepath.Join(dir, "outdir")
		for {
			select {
			case <-stop:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	})
	for range 2000 {
		errno, entry := g.ask(opLookup, rootID, "dir")
		if errno != 0 {
			continue
		}
		node := number64(entry)
		errno, entry = g.ask(opLookup, node, "key")
		if errno == 0 && number64(entry) != 0 {
			if errno, opened := g.ask(opOpen, number64(entry), uint32(unix.O_RDWR), uint32(0)); errno == 0 {
				fh := number64(opened)
				got := g.must(opRead, number64(entry), readBody(fh, 0, 100)...)
				if strings.Contains(string(got), "secret") {
					t.Fatal("a file outside was read")
				}
				g.ask(opWrite, number64(entry), writeBody(fh, 0, 6, "inside")...)
				g.ask(opRelease, number64(entry), fh, make([]byte, 16))
			}
		}
		if errno, made := g.ask(opCreate, node, uint32(unix.O_RDWR), make([]byte, 12), "new"); errno == 0 {
			g.ask(opRelease, number64(made), number64(made[128:]), make([]byte, 16))
			g.ask(opUnlink, node, "new")
		}
	}
	close(stop)
	exchanging.Wait()
	g.alive()
	check()
}

func number64(b []byte) uint64 {
	return uint64(number(b, 0)) | uint64(number(b, 4))<<32
}

// What a guest can have the server keep has bounds, and comes back.
func TestBounds(t *testing.T) {
	dir, _ := outside(t)
	before := descriptors(t)
	const limit = 16
	g := mounted(t, dir, Options{Files: limit})
	file := g.lookup("file")
	granted := 0
	var last uint64
	for range 10 * limit {
		errno, opened := g.ask(opOpen, file, uint32(0), uint32(0))
		if errno == 0 {
			granted++
			last = number64(opened)
		} else if errno != unix.ENFILE {
			t.Fatal(errno)
		}
	}
	if granted != limit {
		t.Errorf("%d files could be opened", granted)
	}
	if now := descriptors(t); now > before+limit+16 {
		t.Errorf("%d descriptors are open, and %d were before", now, before)
	}
	g.must(opRelease, file, last, make([]byte, 16))
	g.open(opOpen, file, 0)
	for range 1000 {
		g.lookup("dir", "file")
	}
	g.say(g.pack(opForget, g.lookup("dir", "file"), uint64(1<<40)))
	if errno, _ := g.ask(opGetattr, 4, make([]byte, 16)); errno != unix.ESTALE {
		t.Errorf("a node that was forgotten: %v", errno)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
