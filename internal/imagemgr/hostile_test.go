package imagemgr

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// hostileLimits are what hostile archives are tried with.
var hostileLimits = Limits{Size: 16 << 20, Entries: 1000}

// headers makes a tar of headers alone, which promise content but have none.
func headers(t testing.TB, all ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, h := range all {
		if err := tar.NewWriter(&buf).WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	return append(buf.Bytes(), make([]byte, 1024)...)
}

func repeat(n int, entry func(i int) tar.Header) []tar.Header {
	var all []tar.Header
	for i := range n {
		all = append(all, entry(i))
	}
	return all
}

// patch gives a tar's first header other bytes at an offset, and a checksum that
// is right.
func patch(data []byte, at int, text string) []byte {
	copy(data[at:], text)
	copy(data[148:156], "        ")
	sum := 0
	for _, b := range data[:512] {
		sum += int(b)
	}
	copy(data[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return data
}

// bomb is what a tar with a file of zeros becomes by a compressor.
func bomb(t testing.TB, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := open(&buf)
	if err != nil {
		t.Fatal(err)
	}
	out := tar.NewWriter(w)
	const size = 20 << 20
	err = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: size})
	for n := 0; err == nil && n < size; n += 1 << 20 {
		_, err = out.Write(make([]byte, 1<<20))
	}
	if err := errors.Join(err, out.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func xattr(name, value string) map[string]string {
	return map[string]string{"SCHILY.xattr.user." + name: value}
}

func hostileTars(t *testing.T) map[string]struct {
	data []byte
	want string
} {
	const tooMuch = "it unpacks to more than 16 MiB"
	text := func(items ...item) []byte { return makeTar(t, items...) }
	small := text(smallRootfs...)
	gzipped := bomb(t, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	zstdFrame := append([]byte("\x28\xb5\x2f\xfd\x00\xa0"), make([]byte, 4096)...) // a window of 1 GiB
	lzmaHead := append([]byte("\x5d\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff"), make([]byte, 4096)...)
	deep := strings.TrimSuffix(strings.Repeat("d/", 30_000), "/")
	return map[string]struct {
		data []byte
		want string
	}{
		"gzip bomb": {gzipped, tooMuch},
		"zstd bomb": {bomb(t, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }), tooMuch},
		"xz bomb":   {bomb(t, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }), tooMuch},
		"lzma bomb": {bomb(t, func(w io.Writer) (io.WriteCloser, error) { return lzma.NewWriter(w) }), tooMuch},
		"padding bomb": {bomb(t, func(w io.Writer) (io.WriteCloser, error) {
			z := gzip.NewWriter(w)
			_, err := z.Write(append(small, make([]byte, 20<<20)...))
			return z, err
		}), tooMuch},
		"zstd window":     {zstdFrame, "window"},
		"lzma dictionary": {lzmaHead, "bytes is too large"},
		"xz dictionary":   {xzBlock(39), "unknown filter 0x21"},
		"truncated gzip":  {gzipped[:len(gzipped)/8], "truncated"},
		"entries": {headers(t, repeat(1001, func(i int) tar.Header {
			return tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprint(i)}
		})...), "it unpacks to more than 1000 entries"},
		"directories": {headers(t, repeat(1001, func(int) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: "d"} })...), "more than 1000 entries"},
		"links' targets": {headers(t, repeat(100, func(i int) tar.Header {
			return tar.Header{Typeflag: tar.TypeSymlink, Name: fmt.Sprint(i), Linkname: strings.Repeat("t/", 1000)}
		})...), "its names, links and extended attributes take more than"},
		"attributes": {headers(t, repeat(100, func(i int) tar.Header {
			return tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprint(i), PAXRecords: xattr("a", strings.Repeat("v", 2000))}
		})...), "its names, links and extended attributes take more than"},
		"long attributes":   {headers(t, tar.Header{Typeflag: tar.TypeDir, Name: "d", PAXRecords: manyXattrs(40)}), "more extended attributes than fit"},
		"content missing":   {headers(t, tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 1 << 40}), "truncated"},
		"long element":      {text(file(strings.Repeat("n", 256), "")), "has an element of 256 bytes"},
		"long path":         {text(file(strings.Repeat("n/", 2048)+"f", "")), "4095 are possible"},
		"30,000 levels":     {text(file(deep, "")), "has 59999 bytes"},
		"1,000 levels":      {text(file(deep[:1999], "")), "1000 levels deep"},
		"out by ..":         {text(file("a/../../etc/passwd", "")), `has ".." in it`},
		"link out":          {text(item{kind: tar.TypeLink, name: "l", target: "../../etc/shadow"}), `has ".." in it`},
		"link to nothing":   {text(item{kind: tar.TypeLink, name: "l", target: "x"}), "links to"},
		"link to directory": {text(item{kind: tar.TypeDir, name: "d"}, item{kind: tar.TypeLink, name: "l", target: "d"}), "which is a directory"},
		"loop of links":     {text(item{kind: tar.TypeSymlink, name: "a", target: "b"}, item{kind: tar.TypeSymlink, name: "b", target: "a"}, file("a/f", "")), "too many symbolic links"},
		"growing links":     {text(item{kind: tar.TypeSymlink, name: "a", target: strings.Repeat("a/", 100) + "a"}, file("a/f", "")), "too many symbolic links"},
		"below a file":      {text(file("f", ""), file("f/g", "")), "which is no directory"},
		"a file as root":    {text(file(".", "")), "the root must be a directory"},
		"target too long":   {headers(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: strings.Repeat("t", 4096)}), "4095 are possible"},
		"device numbers":    {headers(t, tar.Header{Typeflag: tar.TypeChar, Name: "c", Devmajor: 1 << 31, Format: tar.FormatGNU}), "is the impossible device"},
		"owner":             {headers(t, tar.Header{Typeflag: tar.TypeDir, Name: "d", Uid: 1 << 33}), "has the impossible owner"},
		"unknown type":      {patch(text(file("f", "")), 156, "Z"), "is none that a file system has"},
		"rest of a volume":  {patch(text(file("f", "")), 156, "M"), "one of several volumes"},
		"negative size":     {patch(text(file("f", "")), 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "not a tar"},
		"truncated":         {small[:len(small)-2000], "truncated"},
		"no end":            {small[:len(small)-1024], "truncated"},
		"noise":             {bytes.Repeat([]byte{0xa5, 0x17}, 4096), "not a tar"},
		"nothing":           {nil, "empty input"},
		"only zeros":        {make([]byte, 10240), "a tar without entries"},
		"a page":            {[]byte("<!DOCTYPE html>"), "an HTML page"},
		"a squashfs":        {append([]byte("hsqs"), make([]byte, 4096)...), "a squashfs image"},
		"another machine's": {text(file("bin/sh", elfFor(aarch64))), "is a program for aarch64"},
		"an empty link":     {patch(text(item{kind: tar.TypeSymlink, name: "l", target: "x"}), 157, "\x00"), "impossible"},
	}
}

// paxSparse is a file of a byte that claims to have 1 TiB, as PAX says it.
func paxSparse(t testing.TB) []byte {
	var records string
	for _, r := range []string{
		"GNU.sparse.major=0", "GNU.sparse.minor=1", "GNU.sparse.name=f", "GNU.sparse.size=1099511627776",
		"GNU.sparse.numblocks=1", "GNU.sparse.map=0,1",
	} {
		records += fmt.Sprintf("%d %s\n", len(r)+4, r) // two digits
	}
	extended := patch(makeTar(t, file("x", records)), 156, "x")
	return append(extended[:1024], makeTar(t, file("f", "x"))...)
}

// gnuSparse is the same of 8 GiB, as old GNU tar has it.
func gnuSparse(t testing.TB) []byte {
	data := makeTar(t, file("f", "x"))
	copy(data[257:], "ustar  \x00")
	copy(data[386:], "00000000000\x0000000000001\x00")
	copy(data[483:], "77777777777\x00")
	return patch(data, 156, "S")
}

// xzBlock is the beginning of an xz stream whose block wants a dictionary.
func xzBlock(size byte) []byte {
	sum := func(p []byte) []byte { return binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(p)) }
	flags, head := []byte{0, 0}, []byte{2, 0, 0x21, 1, size, 0, 0, 0}
	return slices.Concat([]byte("\xfd7zXZ\x00"), flags, sum(flags), head, sum(head), make([]byte, 64))
}

// TestHostileTars has every one refused in one line for its own reason, with
// nothing left behind, no file left open and little memory taken.
// manyXattrs are attributes whose names alone are more than a block takes.
func manyXattrs(n int) map[string]string {
	records := map[string]string{}
	for i := range n {
		maps.Copy(records, xattr(fmt.Sprintf("%0200d", i), "v"))
	}
	return records
}

func TestHostileTars(t *testing.T) {
	for name, c := range hostileTars(t) {
		t.Run(name, func(t *testing.T) {
			s := testStore(t)
			s.Limits = hostileLimits
			refused(t, s, "-", bytes.NewReader(c.data), c.want)
		})
	}
}

// A hole takes neither time nor room, however large it claims to be.
func TestClaimsOfHoles(t *testing.T) {
	for name, data := range map[string][]byte{"pax": paxSparse(t), "gnu": gnuSparse(t)} {
		s := testStore(t)
		s.Limits = hostileLimits
		if _, err := pull(t.Context(), s, "tar:-", "a", bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// refused checks how a source is refused.
func refused(t *testing.T, s *Store, source string, stdin io.Reader, want string) {
	t.Helper()
	before := openFiles(t)
	_, err := pull(t.Context(), s, source, "a", stdin)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
		t.Errorf("error %v", err)
	}
	checkEmpty(t, s)
	for deadline := time.Now().Add(time.Minute); openFiles(t) > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are open, and were %d", openFiles(t), before)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
