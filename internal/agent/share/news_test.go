package share

import (
	"encoding/binary"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// other has another process change the directory: what this one does is the guest's.
func (g *guest) other(script string) {
	g.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = g.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("%v: %s", err, out)
	}
}

// believes returns for how long the guest may believe a name and what it leads to.
func (g *guest) believes(dir uint64, name string) (named, attributes time.Duration) {
	g.t.Helper()
	entry := g.must(opLookup, dir, name)
	seconds := func(at int) time.Duration { return time.Duration(binary.LittleEndian.Uint64(entry[at:])) * time.Second }
	return seconds(16), seconds(24)
}

// watching is mounted where the host's kernel tells of changes.
func watching(t *testing.T, tree map[string]string, o Options) *guest {
	w := newWatcher()
	if w == nil {
		t.Skip("Linux tells this process of no changes")
	}
	w.close()
	g := mounted(t, files(t, tree), o)
	if named, _ := g.believes(rootID, "file"); named != ifTold {
		t.Skip("the file system of temporary files tells of no changes")
	}
	return g
}

func TestNews(t *testing.T) {
	g := watching(t, map[string]string{"file": "x", "dir/below": "x", "dir/twin": "x"}, Options{})
	file, dir := g.lookup("file"), g.lookup("dir")
	below := g.lookup("dir", "below")
	g.must(opLookup, rootID, "absent")
	for _, c := range []struct {
		script string
		news   [][]byte
	}{
		{"echo more >>file", [][]byte{nodeNews(file)}},
		{"chmod 600 dir/below", [][]byte{nodeNews(below)}},
		{"chmod 700 dir", [][]byte{nodeNews(dir)}},
		{"chmod 750 .", [][]byte{nodeNews(rootID)}},
		{"echo x >absent", [][]byte{entryNews(rootID, "absent"), nodeNews(rootID)}},
		{"mv dir/below moved", [][]byte{entryNews(dir, "below"), entryNews(rootID, "moved"), nodeNews(dir), nodeNews(below)}},
		{"rm file", [][]byte{entryNews(rootID, "file")}},
		{"rm -r dir", [][]byte{entryNews(dir, "twin"), entryNews(rootID, "dir")}},
		{"mkdir dir", [][]byte{entryNews(rootID, "dir")}},
	} {
		g.other(c.script)
		for _, want := range c.news {
			g.awaitNews(want)
		}
	}
}

// What the guest itself does is no news to it.
func TestOwnIsNoNews(t *testing.T) {
	g := watching(t, map[string]string{"file": "x"}, Options{})
	g.must(opMkdir, rootID, uint32(0o755), uint32(0), "dir")
	g.must(opUnlink, rootID, "file")
	g.other("echo x >last")
	g.awaitNews(entryNews(rootID, "last"))
	for _, m := range g.news {
		for _, name := range []string{"dir", "file"} {
			if string(m) == string(entryNews(rootID, name)) {
				t.Errorf("there is news of %s", name)
			}
		}
	}
}

// What nobody would hear of is not believed for long.
func TestBelieved(t *testing.T) {
	g := watching(t, map[string]string{"file": "x", "a": "x", "deep/dir/file": "x"}, Options{})
	g.other("ln a b; mkdir new")
	for name, want := range map[string]time.Duration{"file": ifTold, "a": validity, "deep": validity} {
		if named, attributes := g.believes(rootID, name); named != ifTold || attributes != want {
			t.Errorf("%s is believed for %v, and its attributes for %v, not %v", name, named, attributes, want)
		}
	}
	dir := g.lookup("deep", "dir")
	if named, _ := g.believes(rootID, "absent"); named != validity {
		t.Errorf("that a name is not in the root is believed for %v", named)
	}
	if named, _ := g.believes(dir, "absent"); named != ifTold {
		t.Errorf("that a name is not in a directory is believed for %v", named)
	}
	if _, attributes := g.believes(rootID, "deep"); attributes != ifTold {
		t.Errorf("a directory that is watched is believed for %v", attributes)
	}
}

// Where too much has changed to be told, all that the guest knows is in doubt, and
// what comes later is heard.
func TestTooManyNews(t *testing.T) {
	n := newNews()
	for i := range maxNews + 10 {
		n.hear(change{name: strconv.Itoa(i)}, false)
	}
	if all, lost := n.take(); len(all) != maxNews || !lost {
		t.Errorf("there are %d, and some are lost: %v", len(all), lost)
	}
	n.hear(change{name: "x"}, false)
	n.hear(change{name: "x"}, true)
	n.hear(change{name: "x"}, false)
	if all, lost := n.take(); len(all) != 1 || !all[change{name: "x"}] || lost {
		t.Errorf("there are %v, and some are lost: %v", all, lost)
	}
	nodes := newTree(identity{inode: 1})
	dir, _ := nodes.meet(place{nodes.root, "dir"}, &unix.Statx_t{Ino: 2, Mode: unix.S_IFDIR})
	file, _ := nodes.meet(place{dir, "file"}, &unix.Statx_t{Ino: 3, Mode: unix.S_IFREG})
	said := map[string]bool{}
	(&share{nodes: nodes}).doubt(func(m []byte) error {
		said[string(m)] = true
		return nil
	})
	for _, want := range [][]byte{nodeNews(rootID), nodeNews(dir.id), nodeNews(file.id), entryNews(rootID, "dir"), entryNews(dir.id, "file")} {
		if !said[string(want)] {
			t.Errorf("it is not said: %x", want)
		}
	}
}
