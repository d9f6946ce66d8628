package rootfs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// item is an entry of a tar to make.
type item struct {
	tar.Header
	body string
}

func aFile(name, body string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, body}
}
func aDir(name string) item {
	return item{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}}
}
func aLink(kind byte, name, target string) item {
	return item{Header: tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}}
}

func makeTar(t testing.TB, items ...item) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, it := range items {
		hdr := it.Header
		hdr.Size = int64(len(it.body))
		if hdr.ModTime.IsZero() && hdr.Typeflag != tar.TypeXGlobalHeader {
			hdr.ModTime = time.Unix(1e9, 0)
		}
		if err := w.WriteHeader(&hdr); err != nil {
			t.Fatalf("%s: %v", hdr.Name, err)
		}
		if _, err := io.WriteString(w, it.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// listing walks a stream into lines of type, name, target and content.
func listing(s Stream) (lines []string, err error) {
	err = s(func(hdr *tar.Header, content io.Reader) error {
		body, err := io.ReadAll(content)
		line := string(hdr.Typeflag) + " " + hdr.Name
		if hdr.Linkname != "" {
			line += " -> " + hdr.Linkname
		}
		if len(body) > 0 {
			line += " = " + string(body)
		}
		lines = append(lines, line)
		return err
	})
	return lines, err
}

func fromTar(data []byte) Stream {
	return FromTar(context.Background(), bytes.NewReader(data), Limits{})
}

func TestFromTarCleansAndResolves(t *testing.T) {
	deep := strings.Repeat("long/", 60) + "name"
	data := makeTar(t,
		aDir("./"),
		item{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}},
		aDir("./usr/bin/"),
		aLink(tar.TypeSymlink, "./bin", "usr/bin"),
		aFile("./bin/sh", "#!"),
		aLink(tar.TypeLink, "bin/dash", "./bin/sh"),
		aLink(tar.TypeSymlink, "etc/alternatives/vi", "/usr/bin/vi"),
		aFile(deep, "deep"),
		item{Header: tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Devmajor: 1, Devminor: 3, Mode: 0o666}},
		item{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "run/fifo"}},
		// The link goes and a directory takes its place.
		aDir("bin"),
		aFile("bin/own", "1"),
		// A hard link to a symbolic link is one too.
		aLink(tar.TypeSymlink, "s", "usr"),
		aLink(tar.TypeLink, "h", "s"),
		aFile("h/x", "2"),
	)
	want := []string{
		"5 .", "5 usr/bin", "2 bin -> usr/bin", "0 usr/bin/sh = #!", "1 usr/bin/dash -> usr/bin/sh",
		"2 etc/alternatives/vi -> /usr/bin/vi", "0 " + deep + " = deep", "3 dev/null", "6 run/fifo",
		"5 bin", "0 bin/own = 1", "2 s -> usr", "1 h -> s", "0 usr/x = 2",
	}
	got, err := listing(fromTar(data))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFromTarKeepsMetadata(t *testing.T) {
	in := tar.Header{
		Typeflag: tar.TypeReg, Name: "bin/ping", Mode: 0o104755, Uid: 3_000_000, Gid: 42, Format: tar.FormatPAX,
		ModTime:    time.Unix(1700000000, 123456789),
		PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"},
	}
	err := fromTar(makeTar(t, item{in, ""}))(func(hdr *tar.Header, _ io.Reader) error {
		if hdr.Mode != 0o4755 || hdr.Uid != in.Uid || hdr.Gid != 42 || !hdr.ModTime.Equal(in.ModTime) ||
			hdr.PAXRecords["SCHILY.xattr.security.capability"] != "\x01\x00\x00\x02" {
			t.Errorf("got %+v", hdr)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func compressed(t testing.TB, data []byte, format string) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	var err error
	switch format {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "zstd":
		w, err = zstd.NewWriter(&buf)
	case "xz":
		w, err = xz.NewWriter(&buf)
	default:
		return data
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestFromTarDecompressesAndReadsAll(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 100_000)
	plain := append(makeTar(t, aFile("big", body)), make([]byte, 50_000)...)
	for _, format := range []string{"plain", "gzip", "zstd", "xz"} {
		data := compressed(t, plain, format)
		sum := sha256.New()
		got, err := listing(FromTar(context.Background(), io.TeeReader(bytes.NewReader(data), sum), Limits{}))
		if err != nil || len(got) != 1 || got[0] != "0 big = "+body {
			t.Errorf("%s: %d entries, %v", format, len(got), err)
		}
		if want := sha256.Sum256(data); !bytes.Equal(sum.Sum(nil), want[:]) {
			t.Errorf("%s: the reader did not see every byte", format)
		}
	}
}

// A tar's own first bytes are a file's name, which may look like a magic
// number.
func TestMagicInAName(t *testing.T) {
	got, err := listing(fromTar(makeTar(t, aFile("BZh", "x"))))
	if err != nil || !slices.Equal(got, []string{"0 BZh = x"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFromTarRefuses(t *testing.T) {
	good := makeTar(t, aFile("first", "x"), aFile("second", strings.Repeat("y", 5000)))
	ext4 := make([]byte, 4096)
	ext4[1024+56], ext4[1024+57] = 0x53, 0xef
	flipped := bytes.Clone(good)
	flipped[1024+20] ^= 1
	broken := compressed(t, good, "gzip")
	broken[len(broken)-5] ^= 1
	unknown := makeTar(t, aFile("x", ""))
	unknown[156] = 'Q'
	checksum(unknown)
	rest, solaris := makeTar(t, aFile("x", "")), makeTar(t, aFile("x", ""))
	rest[156], solaris[156] = 'M', 'X'
	checksum(rest)
	checksum(solaris)
	for _, c := range []struct {
		what string
		data []byte
		want string
	}{
		{"nothing", nil, "empty input"},
		{"text", []byte("hello\n"), "truncated, or not a tar"},
		{"long text", bytes.Repeat([]byte("hello\n"), 1000), "not a tar"},
		{"compressed text", compressed(t, bytes.Repeat([]byte("hello\n"), 1000), "gzip"), "not a tar"},
		{"cpio", []byte("07070100000000"), "a cpio archive"},
		{"HTML", []byte("\n<!DOCTYPE html><html><body>404"), "an HTML page"},
		{"a file system", ext4, "ext4 file system"},
		{"zip", append([]byte("PK\x03\x04"), make([]byte, 1000)...), "zip archive"},
		{"damaged bzip2", append([]byte("BZh9"), make([]byte, 1000)...), "bzip2"},
		{"lz4", append([]byte("\x04\x22\x4d\x18"), make([]byte, 1000)...), "lz4 data: gzip, zstd, xz, lzma and bzip2 are understood"},
		{"compress", append([]byte("\x1f\x9d\x90"), make([]byte, 1000)...), "data of compress"},
		{"a huge lzma dictionary", append([]byte("\x5d\x00\x00\x00\x7f"), make([]byte, 1000)...), "too large"},
		{"a huge zstd window", piped(t, good, "zstd", "-q", "--long=28", "--stdout"), "compress it with a --long of 27 or less"},
		{"gzip twice", compressed(t, compressed(t, good, "gzip"), "gzip"), "compressed twice: it is gzip data once more"},
		{"compressed cpio", compressed(t, bytes.Repeat([]byte("070701"), 1000), "zstd"), "a cpio archive, not a tar"},
		{"a compressed file system", compressed(t, ext4, "gzip"), "an ext4 file system, not a tar"},
		{"a compressed disk", compressed(t, append(make([]byte, 510), "\x55\xaaEFI PART"...), "xz"), "a disk image with partitions"},
		{"an ISO image", append(make([]byte, 32<<10+1), "CD001 and more"...), "an ISO image, not a tar"},
		{"a gzip member that is cut", append(compressed(t, good, "gzip"), "\x1f\x8b\x08"...), "truncated"},
		{"no entries", make([]byte, 10240), "without entries"},
		{"cut in content", good[:3000], `truncated in or after entry "second"`},
		{"cut in a header", good[:1100], `truncated in or after entry "first"`},
		{"cut between entries", good[:1024], "end mark is missing"},
		{"cut before the end mark", good[:len(good)-1024], "end mark is missing"},
		{"cut gzip", compressed(t, good, "gzip")[:60], "truncated"},
		{"cut gzip trailer", broken[:len(broken)-3], "truncated"},
		{"cut zstd", compressed(t, good, "zstd")[:40], "truncated"},
		{"cut xz", compressed(t, good, "xz")[:90], "truncated"},
		{"damaged gzip", broken, "gzip: invalid checksum"},
		{"damaged header", flipped, `damaged after entry "first"`},
		{"dots", makeTar(t, aFile("../x", "")), `entry "../x": the name has ".." in it`},
		{"inner dots", makeTar(t, aFile("a/../../x", "")), `has ".." in it`},
		{"link out", makeTar(t, aLink(tar.TypeLink, "a", "../b")), `target "../b" has ".." in it`},
		{"absolute link out", makeTar(t, aLink(tar.TypeLink, "a", "/../b")), `target "/../b" has ".." in it`},
		{"long name", makeTar(t, aFile(strings.Repeat("n", 256), "")), "256 bytes"},
		{"long path", makeTar(t, aFile(strings.Repeat(strings.Repeat("n", 200)+"/", 30)+"f", "")), "6031 bytes, 4095 are possible"},
		{"deep", makeTar(t, aFile(strings.Repeat("d/", 30000)+"f", "")), "are possible"},
		{"deep in short", makeTar(t, aFile(strings.Repeat("d/", 256)+"f", "")), "257 levels deep, 256 are possible"},
		{"deep through a link", makeTar(t, aLink(tar.TypeSymlink, "l", strings.Repeat("d/", 200)), aFile("l/"+strings.Repeat("d/", 60)+"f", "")), "levels deep, 256 are possible"},
		{"long link", makeTar(t, aLink(tar.TypeSymlink, "l", strings.Repeat("x", 5000))), "5000 bytes, 4095 are possible"},
		{"type", unknown, `entry "x": type 'Q'`},
		{"a later volume", rest, "one of several volumes"},
		{"Solaris", solaris, "Solaris' own extended headers"},
		{"root file", makeTar(t, aFile("./.", "")), "the root must be a directory"},
		{"loop", makeTar(t, aLink(tar.TypeSymlink, "a", "b"), aLink(tar.TypeSymlink, "b", "a"), aFile("a/x", "")), "too many symbolic links"},
	} {
		_, err := listing(fromTar(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		} else if strings.Contains(err.Error(), "\n") || len(err.Error()) > 200 {
			t.Errorf("%s: not one line: %q", c.what, err)
		}
	}
}

// checksum mends a header's checksum.
func checksum(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header[:512] {
		sum += int(b)
	}
	for i := range 6 {
		header[153-i] = '0' + byte(sum>>(3*i)&7)
	}
	header[154], header[155] = 0, ' '
}

func TestFromTarReturnsYieldsError(t *testing.T) {
	stop := errors.New("stop")
	data := makeTar(t, aFile("a", "x"), aFile("b", "y"))
	if err := fromTar(data)(func(*tar.Header, io.Reader) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// A truncated content is what the user is told of, not what its reader made of
// it.
func TestFromTarPrefersTheSourcesError(t *testing.T) {
	data := makeTar(t, aFile("a", strings.Repeat("x", 2000)))[:1000]
	err := fromTar(data)(func(_ *tar.Header, content io.Reader) error {
		_, err := io.Copy(io.Discard, content)
		return errors.Join(errors.New("write failed"), err)
	})
	if err == nil || err.Error() != `truncated in or after entry "a"` {
		t.Errorf("got %v", err)
	}
}

// silent gives nothing until it is closed, as a terminal does.
func TestFromTarHeedsItsContext(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- FromTar(ctx, r, Limits{})(func(*tar.Header, io.Reader) error { return nil })
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFromTarReadsSparseFiles(t *testing.T) {
	gnuTar := lookTar(t)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 3 << 20
	f.WriteAt([]byte("head"), 0)
	f.WriteAt([]byte("tail"), size-4)
	f.Close()
	for _, format := range [][]string{
		{"--format=gnu"},
		{"--format=posix", "--sparse-version=0.0"},
		{"--format=posix", "--sparse-version=0.1"},
		{"--format=posix", "--sparse-version=1.0"},
	} {
		data := gnuTar(append(format, "-S", "-C", dir, "-c", "sparse")...)
		if len(data) > 1<<20 {
			t.Fatalf("tar %q wrote %d bytes: no sparse file", format, len(data))
		}
		got, err := listing(fromTar(data))
		want := "0 sparse = head" + strings.Repeat("\x00", size-8) + "tail"
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("tar %q: %d entries, %v", format, len(got), err)
		}
	}
}

func FuzzFromTar(f *testing.F) {
	f.Add(makeTar(f, aDir("./"), aFile("./a", "x"), aLink(tar.TypeLink, "b", "a"), aLink(tar.TypeSymlink, "c", "/a")))
	f.Add(makeTar(f, aFile(strings.Repeat("d/", 90)+"e", "x"))[:1024])
	f.Add(compressed(f, makeTar(f, aFile("a", "x")), "gzip"))
	f.Add(compressed(f, makeTar(f, aFile("a", "x")), "zstd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fromTar(data)(func(hdr *tar.Header, content io.Reader) error {
			checkPromise(t, hdr)
			_, err := io.Copy(io.Discard, io.LimitReader(content, 1<<20))
			return err
		})
	})
}

// checkPromise checks what a Stream promises of each header.
func checkPromise(t *testing.T, hdr *tar.Header) {
	t.Helper()
	names := []string{hdr.Name}
	if hdr.Typeflag == tar.TypeLink {
		names = append(names, hdr.Linkname)
	}
	for _, name := range names {
		if filepath.Clean(name) != name || !filepath.IsLocal(name) {
			t.Errorf("%q is not clean", name)
		}
	}
	if !strings.ContainsRune("0123456", rune(hdr.Typeflag)) || hdr.Mode&^0o7777 != 0 {
		t.Errorf("%q: type %q, mode %o", hdr.Name, hdr.Typeflag, hdr.Mode)
	}
}
