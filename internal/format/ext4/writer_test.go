package ext4

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEmpty(t *testing.T) {
	path := mustBuild(t)
	info, err := os.Stat(path)
	if err != nil || info.Size() > 2<<20+400<<10 || diskUsage(t, info) > 100<<10 {
		t.Errorf("an empty file system is %d bytes, %d on disk, %v", info.Size(), diskUsage(t, info), err)
	}
	wantStat(t, path, "/", "Mode:  0755", "User:     0", "Links: 3", "mtime: 0x00000000:00000000")
	wantStat(t, path, "/lost+found", "Inode: 11 ", "Mode:  0700")
}

func TestKindsAndAttributes(t *testing.T) {
	suid := file("usr/bin/su", "#!")
	suid.Mode, suid.Uid, suid.Gid, suid.ModTime = 0o6755, 70000, 1<<32-2, time.Unix(1700000000, 123456789)
	old, future := file("old", ""), file("future", "")
	old.ModTime, future.ModTime = time.Date(1935, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	root := dir(".")
	root.Mode = 0o1751
	path := mustBuild(t, root, dir("usr"), suid, old, future,
		symlink("fast", "usr/bin/su"), symlink("edge", strings.Repeat("e", 59)), symlink("over", strings.Repeat("o", 60)),
		symlink("slow", strings.Repeat("s/", 100)), symlink("longest", strings.Repeat("l", 4095)),
		device("null", tar.TypeChar, 1, 3), device("big", tar.TypeBlock, 259, 70000), device("whiteout", tar.TypeChar, 0, 0),
		device("last", tar.TypeChar, 4095, 1<<20-1), device("pipe", tar.TypeFifo, 0, 0),
		link("su2", "usr/bin/su"), link("null2", "null"), link("fast2", "fast"), file("made/up/parents", "x"), file(strings.Repeat("n", 255), "long"))
	for name, wants := range map[string][]string{
		"/":           {"Mode:  01751", "Type: directory"},
		"/usr/bin/su": {"Mode:  06755", "User: 70000", "Group:    -2", "Links: 2", "mtime: 0x6553f100:1d6f3454", "Size: 2"},
		"/su2":        {"Mode:  06755", "Links: 2"},
		"/fast":       {`Fast link dest: "usr/bin/su"`, "Mode:  0777", "Links: 2"},
		"/fast2":      {`Fast link dest: "usr/bin/su"`},
		"/edge":       {`Fast link dest: "` + strings.Repeat("e", 59)},
		"/over":       {"Type: symlink", "Size: 60", "EXTENTS"},
		"/slow":       {"Type: symlink", "Size: 200"},
		"/longest":    {"Type: symlink", "Size: 4095"},
		"/null":       {"Type: character special", "01:03", "Links: 2"},
		"/null2":      {"Type: character special", "01:03"},
		"/big":        {"Type: block special", "259:70000"},
		"/whiteout":   {"Type: character special", "00:00"},
		"/last":       {"Type: character special", "4095:1048575"},
		"/pipe":       {"Type: FIFO"},
		"/made/up":    {"Mode:  0755", "User:     0", "Links: 2", "mtime: 0x00000000:00000000"},
		"/old":        {"mtime: 0xbe2a1800:00000000"},
		"/future":     {"mtime: 0xf48657"},
	} {
		wantStat(t, path, name, wants...)
	}
	wantContent(t, path, "/slow", strings.Repeat("s/", 100))
	wantContent(t, path, "/longest", strings.Repeat("l", 4095))
	wantContent(t, path, "/made/up/parents", "x")
	wantContent(t, path, "/"+strings.Repeat("n", 255), "long")
}

func TestContentOfManySizes(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	var items []item
	for _, size := range []int{0, 1, 4095, 4096, 4097, 256 << 10, 256<<10 + 1, 3<<20 + 17} {
		content := make([]byte, size)
		random.Read(content)
		items = append(items, file(fmt.Sprint("f", size), string(content)))
	}
	path := mustBuild(t, items...)
	for _, i := range items {
		if got := dump(t, path, i.Name); !bytes.Equal(got, []byte(i.content)) {
			t.Errorf("%s came back with %d bytes", i.Name, len(got))
		}
	}
}

// dump returns a file's content.
func dump(t *testing.T, path, name string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	debug(t, path, "dump /"+name+" "+out)
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Blocks of zeros take no space, neither in the file system nor in its file.
func TestSparse(t *testing.T) {
	path, w := newFile(t, Options{})
	const far = 9 << 30 / blockSize
	addIslands(t, w, "sparse", far+1, map[int64]byte{0: 'a', far / 2: 'b', far/2 + 1: 'c', far: 'd'})
	addIslands(t, w, "begins.with.hole", 4, map[int64]byte{3: 'x'})
	addIslands(t, w, "ends.with.hole", 4, map[int64]byte{0: 'x'})
	addIslands(t, w, "only.hole", 1000, nil)
	finish(t, path, w)
	wantStat(t, path, "/sparse", "Blockcount: 32", fmt.Sprint("Size: ", (far+1)*blockSize))
	wantStat(t, path, "/only.hole", "Blockcount: 0", "Size: 4096000")
	x := strings.Repeat("x", blockSize)
	zeros := strings.Repeat("\x00", 3*blockSize)
	if got := dump(t, path, "begins.with.hole"); string(got) != zeros+x {
		t.Errorf("the first hole came back as %.10q", got)
	}
	if got := dump(t, path, "ends.with.hole"); string(got) != x+zeros {
		t.Errorf("the last hole came back as %d bytes", len(got))
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 3<<20 || diskUsage(t, info) > 200<<10 {
		t.Errorf("six blocks and holes take %d bytes, %d on disk, %v", info.Size(), diskUsage(t, info), err)
	}
}

// Every second block a hole: one extent for each of the others.
func TestScattered(t *testing.T) {
	var items []item
	for _, extents := range []int{4, 5, 340, 341, 340 * 4, 340*4 + 1} {
		items = append(items, comb(fmt.Sprint("f", extents), extents))
	}
	path := mustBuild(t, items...)
	for _, i := range items {
		if got := dump(t, path, i.Name); string(got) != i.content {
			t.Errorf("%s came back as %d bytes", i.Name, len(got))
		}
	}
}

func TestReplace(t *testing.T) {
	big := strings.Repeat("b", 100_000)
	directory := dir("d")
	directory.Mode = 0o700
	path := mustBuild(t,
		file("f", big), file("f", "new"), // a file by a file
		file("x", "1"), link("y", "x"), file("x", "2"), // one of two names
		dir("e"), file("e", "was a directory"),
		file("g", "was a file"), dir("g"), file("g/h", "below"),
		dir("d"), file("d/kept", "kept"), directory, // a directory by a directory
		symlink("s", "a"), symlink("s", "b"),
		symlink("to-dir", "d"), dir("to-dir"), file("to-dir/in", "in"), // no symlink is followed
		link("f", "f"),                                 // a link to itself
		file("l", "1"), file("m", "2"), link("l", "m"), // a file by a link
		dir("n"), link("n", "m"), // an empty directory by a link
		with(file("a", big), map[string]string{"user.x": strings.Repeat("x", 999)}), device("a", tar.TypeFifo, 0, 0),
	)
	for name, content := range map[string]string{
		"/f": "new", "/x": "2", "/y": "1", "/e": "was a directory", "/g/h": "below", "/d/kept": "kept",
		"/to-dir/in": "in", "/l": "2", "/n": "2",
	} {
		wantContent(t, path, name, content)
	}
	wantStat(t, path, "/d", "Mode:  0700", "Links: 2")
	wantStat(t, path, "/m", "Links: 3")
	wantStat(t, path, "/", "Links: 6") // itself, its parent, lost+found, d, g, to-dir
	wantStat(t, path, "/a", "Type: FIFO", "Blockcount: 0")
}

func TestBadEntries(t *testing.T) {
	owned := file("f", "")
	owned.Uid = -1
	negative := file("f", "")
	negative.Size = -1
	for what, items := range map[string][]item{
		"name too long":          {file(strings.Repeat("n", 256), "")},
		"parent's name too long": {file(strings.Repeat("n", 256)+"/x", "")},
		"below a file":           {file("f", ""), file("f/x", "")},
		"far below a file":       {file("d/f", ""), file("d/f/x/y", "")},
		"below a symlink":        {symlink("l", "d"), dir("d"), file("l/x", "")},
		"full directory":         {file("d/x", ""), file("d", "")},
		"link over a directory":  {file("f", ""), file("d/x", ""), link("d", "f")},
		"link to nothing":        {link("l", "absent")},
		"link to a later entry":  {file("f", ""), link("l", "f/x")},
		"link to a directory":    {dir("d"), link("l", "d")},
		"link to the root":       {link("l", ".")},
		"empty symlink":          {symlink("l", "")},
		"huge symlink":           {symlink("l", strings.Repeat("l", 4096))},
		"symlink with zero byte": {symlink("l", "a\x00b")},
		"unknown type":           {{Header: tar.Header{Typeflag: 'V', Name: "v"}}},
		"root as a file":         {file(".", "")},
		"dots":                   {file("../x", "")},
		"absolute":               {file("/x", "")},
		"zero byte":              {file("a\x00b", "")},
		"owner":                  {owned},
		"size":                   {negative},
		"major number":           {device("d", tar.TypeChar, 4096, 0)},
		"minor number":           {device("d", tar.TypeBlock, 0, 1<<20)},
		"negative number":        {device("d", tar.TypeBlock, -1, 0)},
	} {
		mustFail(t, what, items...)
	}
	if _, err := NewWriter(&memory{}, Options{Label: strings.Repeat("l", 17)}); err == nil {
		t.Error("took a label that is too long")
	}
}

// What other file systems hold as one file of many names becomes several files.
func TestTooManyLinks(t *testing.T) {
	content := strings.Repeat("content", 10_000)
	for what, c := range map[string]struct {
		f    item
		stat string
	}{
		"large":  {with(file("f", content), map[string]string{"user.a": strings.Repeat("v", 500)}), "user.a (500)"},
		"device": {device("f", tar.TypeChar, 5, 6), "05:06"},
	} {
		f := c.f
		path, w := newFile(t, Options{})
		if err := w.Add(&f.Header, strings.NewReader(f.content)); err != nil {
			t.Fatal(err)
		}
		for i := range 2*maxLinks + 1 {
			l := link(fmt.Sprint("d/l", i), "f")
			if err := w.Add(&l.Header, nil); err != nil {
				t.Fatal(what, err)
			}
		}
		finish(t, path, w)
		last := "d/l" + fmt.Sprint(2*maxLinks)
		wantStat(t, path, last, "Links: 2 ", c.stat)
		if what == "large" {
			wantContent(t, path, last, content)
		}
	}
}

// The format is a promise: the same entries give the same bytes in every
// version, unless a change is meant.
func TestGolden(t *testing.T) {
	when := time.Unix(1700000000, 0)
	items := []item{
		dir("etc"), file("etc/hostname", "box\n"), symlink("bin", "usr/bin"), file("usr/bin/sh", strings.Repeat("sh", 5000)),
		link("usr/bin/bash", "usr/bin/sh"), device("dev/null", tar.TypeChar, 1, 3),
		with(file("usr/bin/ping", "ping"), map[string]string{"security.capability": capability, "user.a": strings.Repeat("a", 100)}),
	}
	for i := range items {
		items[i].ModTime = when
	}
	for i := range 300 {
		items = append(items, symlink(fmt.Sprintf("etc/alternatives/name-%d", i), "/bin/true"))
	}
	const want = "158781158da86420d5998c5d5af226f5be093921d45de4d7948ad2c5f10e94ac"
	for range 2 {
		sum := sha256.Sum256(inMemory(t, items...))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("the bytes are new: %s", got)
		}
	}
}

func TestSeed(t *testing.T) {
	var ids []string
	for _, seed := range []string{"one", "two"} {
		m := &memory{}
		w, err := NewWriter(m, Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.SetSeed([]byte(seed))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		info, err := Check(bytes.NewReader(m.data))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, info.UUID)
	}
	if ids[0] == ids[1] || ids[0][12] != '8' {
		t.Errorf("two seeds give the UUIDs %s", ids)
	}
}
