package ext4

import (
	"archive/tar"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"
	"time"
)

// decodeTime is the kernel's reading of an inode's time.
func decodeTime(raw []byte) time.Time {
	sec := int64(int32(binary.LittleEndian.Uint32(raw[16:])))
	extra := binary.LittleEndian.Uint32(raw[136:])
	return time.Unix(sec+int64(extra&3)<<32, int64(extra>>2))
}

func TestInodeTimes(t *testing.T) {
	day := func(year int) time.Time { return time.Date(year, 6, 15, 12, 30, 45, 123456789, time.UTC) }
	first, last := time.Unix(minTime, 0), time.Unix(maxTime, 0)
	tests := []struct{ given, want time.Time }{
		{day(1970), day(1970)},
		{day(2025), day(2025)},
		{day(1935), day(1935)},
		{time.Unix(-1, 999_999_999), time.Unix(-1, 999_999_999)},
		{time.Unix(math.MaxInt32, 1), time.Unix(math.MaxInt32, 1)},
		{time.Unix(math.MaxInt32+1, 1), time.Unix(math.MaxInt32+1, 1)},
		{day(2100), day(2100)},
		{day(2300), day(2300)},
		{day(1900), first},
		{day(2400), last},
		{day(9999), last},
		{time.Time{}, time.Unix(0, 0)},
	}
	for _, test := range tests {
		n := inode{links: 1}
		if err := n.setAttributes(&tar.Header{ModTime: test.given}); err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, inodeSize)
		n.encode(raw)
		if got := decodeTime(raw); !got.Equal(test.want) {
			t.Errorf("%v became %v", test.given, got.UTC())
		}
	}
}

func TestEncodeInode(t *testing.T) {
	n := inode{
		size: 0x123456789, sec: 0x11223344, nsec: 5, uid: 0x1a2b3c, gid: 0xfffffffe, links: 7,
		flags: flagExtents, blocks: 9, mode: modeFile | 0o4755, body: "body",
		xattrs: &xattrs{inline: []byte("attributes"), number: 0x77},
	}
	raw := make([]byte, inodeSize)
	n.encode(raw)
	want := "ed89" + "3c2b" + "89674523" + "44332211" + "44332211" + "44332211" + "00000000" + // mode, uid, size, times
		"feff" + "0700" + "48000000" + "00000800" + "00000000" + // gid, links, sectors, flags
		hex.EncodeToString([]byte("body"))
	if got := hex.EncodeToString(raw[:44]); got != want {
		t.Errorf("the first part is\n%s, want\n%s", got, want)
	}
	want = "00000000" + "77000000" + "01000000" + "00000000" + // generation, attributes, size
		"0000" + "0000" + "1a00" + "ffff" + "00000000" + // upper halves: sectors, attributes, uid, gid
		"20000000" + "14000000" + "14000000" + "14000000" + "44332211" + "14000000" + "00000000" + "00000000" + // extra size, times
		hex.EncodeToString([]byte("attributes"))
	if got := hex.EncodeToString(raw[100:170]); got != want {
		t.Errorf("the second part is\n%s, want\n%s", got, want)
	}
}

// A directory may have more subdirectories than can be counted.
func TestEncodeLinks(t *testing.T) {
	for links, want := range map[uint32]uint16{2: 2, maxLinks: maxLinks, maxLinks + 1: 1, 1 << 20: 1} {
		n := inode{mode: modeDir, links: links}
		raw := make([]byte, inodeSize)
		n.encode(raw)
		if got := binary.LittleEndian.Uint16(raw[26:]); got != want {
			t.Errorf("%d links became %d", links, got)
		}
	}
}

func TestInodes(t *testing.T) {
	var table inodes
	const count = 2*inodesPerPage + 3
	for i := range uint32(count) {
		if number := table.add(inode{uid: i + 1}); number != i+1 {
			t.Fatalf("inode %d got the number %d", i, number)
		}
	}
	first := table.at(1)
	for i := range uint32(count) {
		if got := table.at(i + 1).uid; got != i+1 {
			t.Errorf("number %d is inode %d", i+1, got)
		}
	}
	if first != table.at(1) {
		t.Error("an inode moved")
	}
}
