package imagemgr

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"banger/internal/imagecat"
	"banger/internal/process"
	"banger/internal/statedir"
)

// offer serves a bundle and returns the entry that promises it; asked counts
// the requests.
func offer(t *testing.T, data []byte) (e imagecat.Entry, asked *int) {
	t.Helper()
	asked = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*asked++
		w.Write(data)
	}))
	t.Cleanup(server.Close)
	sum := sha256.Sum256(data)
	return imagecat.Entry{
		Name: "debian-bookworm", Distro: "debian", Arch: arch(), KernelRef: "generic-6.12",
		TarballURL: server.URL + "/x.tar.zst", TarballSHA256: hex.EncodeToString(sum[:]), SizeBytes: int64(len(data)),
	}, asked
}

// packed is the bundle of a small image, and that image.
func packed(t *testing.T) ([]byte, Image) {
	t.Helper()
	if _, err := process.LookPath("zstd"); err != nil {
		t.Skip(err)
	}
	s := testStore(t)
	i, err := s.FromTar(t.Context(), TarOptions{
		Name: "made", KernelRef: "k", Config: &Config{User: "u"}, Tar: bytes.NewReader(makeTar(t, smallRootfs...)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if _, err := s.Pack(t.Context(), "made", &data); err != nil {
		t.Fatal(err)
	}
	return data.Bytes(), i
}

func TestPullCatalog(t *testing.T) {
	data, made := packed(t)
	e, asked := offer(t, data)
	s := testStore(t)
	i, present, err := s.PullCatalog(t.Context(), CatalogOptions{Entry: e})
	if err != nil || present {
		t.Fatalf("got %v, %v", present, err)
	}
	if i.Digest != made.Digest || i.Name != e.Name || i.KernelRef != e.KernelRef || i.Source != e.TarballURL || i.Config.User != "u" {
		t.Errorf("got %+v", i)
	}
	stored, err := s.Get(e.Name)
	if diff := cmp.Diff(i, stored); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
	if _, present, err := s.PullCatalog(t.Context(), CatalogOptions{Entry: e}); !present || err != nil || *asked != 1 {
		t.Errorf("again: %v, %v, %d requests", present, err, *asked)
	}
	if _, present, err := s.PullCatalog(t.Context(), CatalogOptions{Entry: e, Replace: true}); present || err != nil || *asked != 2 {
		t.Errorf("replaced: %v, %v, %d requests", present, err, *asked)
	}
	e.TarballSHA256 = strings.Repeat("0", 64)
	if _, _, err := s.PullCatalog(t.Context(), CatalogOptions{Entry: e}); !errors.Is(err, statedir.ErrExist) {
		t.Errorf("another of that name: %v", err)
	}
}

// zstdTar is a bundle of files.
func zstdTar(t *testing.T, files ...item) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(makeTar(t, files...))
	w.Close()
	return out.Bytes()
}

func TestPullCatalogRefuses(t *testing.T) {
	data, _ := packed(t)
	sum := sha256.Sum256([]byte("x"))
	manifest := `{"digest":"sha256:` + hex.EncodeToString(sum[:]) + `","size":1}`
	for name, tt := range map[string]struct {
		data   []byte
		change func(*imagecat.Entry)
		want   string
	}{
		"digest":          {data, func(e *imagecat.Entry) { e.TarballSHA256 = strings.Repeat("0", 64) }, "is not what the catalog says"},
		"longer":          {data, func(e *imagecat.Entry) { e.SizeBytes-- }, "and the catalog says"},
		"architecture":    {data, func(e *imagecat.Entry) { e.Arch = "aarch64" }, "is not known"},
		"no bundle":       {[]byte("plain text"), nil, "is not compressed with zstd"},
		"no manifest":     {zstdTar(t, file("rootfs.ext4", "x")), nil, "it holds no manifest.json"},
		"no rootfs":       {zstdTar(t, file("manifest.json", manifest)), nil, "it holds no rootfs.ext4"},
		"other rootfs":    {zstdTar(t, file("manifest.json", manifest), file("rootfs.ext4", "y")), nil, "digest mismatch"},
		"no ext4":         {zstdTar(t, file("manifest.json", manifest), file("rootfs.ext4", "x")), nil, "the bundle: it "},
		"what is no json": {zstdTar(t, file("manifest.json", "{"), file("rootfs.ext4", "x")), nil, "manifest.json"},
		"link":            {zstdTar(t, item{kind: tar.TypeSymlink, name: "rootfs.ext4", target: "/etc/passwd"}), nil, "has to be a plain file"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := offer(t, tt.data)
			if tt.change != nil {
				tt.change(&e)
			}
			s := testStore(t)
			if _, _, err := s.PullCatalog(t.Context(), CatalogOptions{Entry: e}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			checkEmpty(t, s)
		})
	}
}
