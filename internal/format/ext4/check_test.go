package ext4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	data := inMemory(t, file("f", "x"))
	info, err := Check(bytes.NewReader(data))
	if err != nil || info.Label != "test" || info.Size != int64(len(data)) || len(info.UUID) != 32 || info.NeedsRecovery || info.HasErrors {
		t.Errorf("got %+v, %v", info, err)
	}
	for _, foreign := range [][]byte{nil, make([]byte, 100), make([]byte, 8192), data[:1500], bytes.Repeat([]byte{0xff}, 4096)} {
		if _, err := Check(bytes.NewReader(foreign)); !errors.Is(err, ErrNotExt4) {
			t.Errorf("%d foreign bytes: %v", len(foreign), err)
		}
	}
}

func TestCheckFields(t *testing.T) {
	good := inMemory(t)[:4096]
	le := binary.LittleEndian
	set32 := func(offset int, value uint32) func([]byte) {
		return func(b []byte) { le.PutUint32(b[superblockAt+offset:], value) }
	}
	const blocks, logBlockSize, incompat, blocksHigh = 0x4, 0x18, 0x60, 0x150
	bad := map[string]func([]byte){
		"magic":          func(b []byte) { b[superblockAt+0x38]++ },
		"no blocks":      set32(blocks, 0),
		"no inodes":      set32(0x0, 0),
		"no group":       set32(0x20, 0),
		"no inode group": set32(0x28, 0),
		"block size":     set32(logBlockSize, 7),
		"huge shift":     set32(logBlockSize, 1<<31),
		"revision":       set32(0x4c, 2),
		"journal device": set32(incompat, incompatJournalDev),
		"first block":    set32(0x14, 1<<31),
		"overflow": func(b []byte) {
			set32(incompat, incompat64Bit)(b)
			set32(blocksHigh, 1<<31)(b)
		},
	}
	for what, change := range bad {
		b := bytes.Clone(good)
		change(b)
		if info, err := Check(bytes.NewReader(b)); !errors.Is(err, ErrNotExt4) {
			t.Errorf("%s: got %+v, %v", what, info, err)
		}
	}
	b := bytes.Clone(good)
	set32(incompat, incompat64Bit|incompatRecover)(b)
	set32(blocks, 5)(b)
	set32(blocksHigh, 1)(b)
	b[superblockAt+0x3a] = stateErrors
	info, err := Check(bytes.NewReader(b))
	if err != nil || info.Size != (1<<32+5)*blockSize || !info.NeedsRecovery || !info.HasErrors {
		t.Errorf("got %+v, %v", info, err)
	}
}

// File systems that others made.
func TestCheckForeign(t *testing.T) {
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	for _, args := range [][]string{{"-t", "ext2", "-b", "1024"}, {"-t", "ext3"}, {"-t", "ext4", "-O", "64bit"}, {"-t", "ext4", "-r", "0"}} {
		path := filepath.Join(t.TempDir(), "fs")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		tool(t, "mke2fs", append(args, "-q", "-L", "sixteen-bytes-xx", "-U", uuid, path, "8M")...)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := Check(f)
		want := Info{Size: 8 << 20, Label: "sixteen-bytes-xx", UUID: strings.ReplaceAll(uuid, "-", "")}
		if err != nil || info != want {
			t.Errorf("%v: got %+v, %v", args, info, err)
		}
	}
}

type brokenDisk struct{}

var errBroken = errors.New("broken")

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestCheckReadError(t *testing.T) {
	if _, err := Check(brokenDisk{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(make([]byte, 2048))
	f.Add(inMemory(f, file("f", "x"))[:4096])
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := Check(bytes.NewReader(data))
		switch {
		case err != nil && !errors.Is(err, ErrNotExt4):
			t.Error(err)
		case err == nil && (info.Size <= 0 || len(info.Label) > maxLabel):
			t.Errorf("got %+v", info)
		}
	})
}

// What is not known, no kernel here will write to or, of the incompatible ones,
// no Reader read.
func TestFeatures(t *testing.T) {
	const incompat, roCompat = 0x60, 0x64
	good := inMemory(t, file("f", "x"))
	le := binary.LittleEndian
	readable := map[int]bool{1: true, 4: true, 6: true, 7: true, 8: true, 9: true, 10: true, 13: true, 14: true, 17: true}
	writable := map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 9: true, 10: true, 13: true, 15: true, 16: true}
	for bit := range 32 {
		b := bytes.Clone(good)
		le.PutUint32(b[superblockAt+roCompat:], 1<<bit)
		info, err := Check(bytes.NewReader(b))
		if err != nil || (info.Obstacle == "") != writable[bit] {
			t.Errorf("ro_compat %#x: %q, %v", 1<<bit, info.Obstacle, err)
		}
		if bit == 2 || bit == 3 || bit == 4 || bit == 7 { // a journal's, and what is laid out otherwise
			continue
		}
		b = bytes.Clone(good)
		le.PutUint32(b[superblockAt+incompat:], le.Uint32(b[superblockAt+incompat:])|1<<bit)
		if _, err := NewReader(bytes.NewReader(b)); (err == nil) != readable[bit] {
			t.Errorf("incompat %#x: %v", 1<<bit, err)
		}
	}
	if got := (&superblock{ROCompat: roCompatVerity}).obstacle(); !strings.HasPrefix(got, "the feature verity, ") {
		t.Errorf("verity on blocks of 1 KiB: %q", got)
	}
	if got := (&superblock{LogBlockSize: 6}).obstacle(); !strings.HasPrefix(got, "blocks of 64 KiB, ") {
		t.Errorf("blocks of 64 KiB: %q", got)
	}
	for bit, name := range map[uint32]string{0x1000: "read-only", 0x4000: "shared_blocks", 0x80: "has_snapshot", 0x100: "quota", 1 << 30: "0x40000000"} {
		if got := (&superblock{ROCompat: bit | 1}).obstacle(); !strings.HasPrefix(got, "the feature "+name+", ") {
			t.Errorf("%#x is %q, not %s", bit, got, name)
		}
	}
}
