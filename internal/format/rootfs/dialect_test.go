package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os/exec"
	"slices"
	"testing"
)

// piped is what a program makes of data.
func piped(t *testing.T, data []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skipf("needs %s", args[0])
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out
}

func TestCompressionAsPeopleHaveIt(t *testing.T) {
	data := makeTar(t, aFile("first", "1"), aFile("second", "2"))
	want := []string{"0 first = 1", "0 second = 2"}
	half := len(data) / 2
	zeros := make([]byte, 10_000)
	skippable := []byte("\x5f\x2a\x4d\x18\x04\x00\x00\x00abcd")
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		what string
		data []byte
	}{
		{"gzip with zeros behind", join(compressed(t, data, "gzip"), zeros)},
		{"gzip with a signature behind", join(compressed(t, data, "gzip"), []byte("-----BEGIN SIGNATURE-----"))},
		{"gzip members", join(compressed(t, data[:half], "gzip"), compressed(t, data[half:], "gzip"))},
		{"padded gzip members", join(compressed(t, data[:half], "gzip"), zeros[:333], compressed(t, nil, "gzip"), zeros, compressed(t, data[half:], "gzip"), zeros[:1])},
		{"zstd behind a skippable frame", join(skippable, compressed(t, data, "zstd"))},
		{"zstd frames with skippable ones", join(compressed(t, data[:half], "zstd"), skippable, skippable, compressed(t, data[half:], "zstd"), skippable)},
		{"xz streams with padding", join(compressed(t, data[:half], "xz"), zeros[:8], compressed(t, data[half:], "xz"), zeros[:4])},
		{"xz with a filter", piped(t, data, "xz", "--arm64", "--lzma2", "--stdout")},
		{"xz with delta", piped(t, data, "xz", "--delta=dist=4", "--lzma2", "--check=sha256", "--stdout")},
		{"lzma", piped(t, data, "xz", "--format=lzma", "--stdout")},
		{"bzip2", piped(t, data, "bzip2")},
		{"lzma of other properties", piped(t, data, "xz", "--format=lzma", "--lzma1=lc=0,lp=2,dict=12MiB", "--stdout")},
		{"bzip2 with zeros behind", join(piped(t, data, "bzip2"), zeros)},
		{"bzip2 streams", join(piped(t, data[:half], "bzip2"), piped(t, data[half:], "bzip2"))},
	} {
		if got, err := listing(fromTar(c.data)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
}

// retyped is a tar of one entry of a type that archive/tar does not write.
func retyped(t *testing.T, kind byte, it item) []byte {
	data := makeTar(t, it)
	data[156] = kind
	checksum(data)
	return data[:len(data)-2*blockSize]
}

func TestDialects(t *testing.T) {
	first, second := makeTar(t, aFile("a", "x")), makeTar(t, aFile("b", "y"))
	first, second = first[:len(first)-2*blockSize], second[:len(second)-2*blockSize]
	zeros := make([]byte, 2*blockSize)
	garbage := bytes.Repeat([]byte("garbage"), 1000)
	for _, c := range []struct {
		what  string
		parts [][]byte
		want  []string
	}{
		{"a lone zero block at the end", [][]byte{first, second, zeros[:blockSize]}, []string{"0 a = x", "0 b = y"}},
		{"a lone zero block, as for GNU tar", [][]byte{first, zeros[:blockSize], second, zeros}, []string{"0 a = x"}},
		{"garbage behind the end", [][]byte{first, zeros, garbage}, []string{"0 a = x"}},
		{"garbage behind a lone zero block", [][]byte{first, zeros[:blockSize], garbage}, []string{"0 a = x"}},
		{"a label", [][]byte{retyped(t, gnuVolume, aFile("backup of today", "")), first, zeros}, []string{"0 a = x"}},
		{"an incremental dump", [][]byte{retyped(t, gnuDumpDir, aFile("d", "Ya\x00Yb\x00\x00")), first, zeros}, []string{"5 d", "0 a = x"}},
		{"a directory that only its name tells of", [][]byte{retyped(t, tar.TypeReg, aDir("d/")), retyped(t, tar.TypeCont, aDir("e/")), zeros}, []string{"5 d", "5 e"}},
		{"a root without a name", [][]byte{func() []byte {
			data := retyped(t, tar.TypeDir, aDir("d"))
			clear(data[:2])
			checksum(data)
			return data
		}(), first, zeros}, []string{"5 .", "0 a = x"}},
		{"absolute names", [][]byte{retyped(t, tar.TypeReg, aFile("/a", "x")), retyped(t, tar.TypeLink, aLink(tar.TypeLink, "/b", "/a")), zeros}, []string{"0 a = x", "1 b -> a"}},
		{"a contiguous file", [][]byte{retyped(t, tar.TypeCont, aFile("c", "z")), zeros}, []string{"0 c = z"}},
	} {
		got, err := listing(func(yield func(*tar.Header, io.Reader) error) error {
			return FromTar(context.Background(), bytes.NewReader(bytes.Join(c.parts, nil)), Limits{})(func(h *tar.Header, r io.Reader) error {
				if h.Typeflag == tar.TypeDir {
					r = noContent
				}
				return yield(h, r)
			})
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
}

// The content's own zeros are no mark.
func TestZerosOfAFileAreNoMark(t *testing.T) {
	data := makeTar(t, aFile("zeros", string(make([]byte, 4*blockSize))))
	if _, err := listing(fromTar(data[:len(data)-2*blockSize])); err == nil {
		t.Error("no error")
	}
}

func TestEmptyLayers(t *testing.T) {
	for _, data := range [][]byte{nil, make([]byte, 2*blockSize), compressed(t, nil, "gzip")} {
		if got, err := listing(Merge(context.Background(), []Layer{
			{Name: "a", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }},
		}, Limits{})); err != nil || !slices.Equal(got, []string{"5 ."}) {
			t.Errorf("%d bytes: %q, %v", len(data), got, err)
		}
	}
}
