package kernel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banger/internal/format/bundle"
	"banger/internal/kernelcat"
	"banger/internal/statedir"

	"github.com/klauspost/compress/zstd"
)

// packBundle returns the bundle of the given files.
func packBundle(t *testing.T, files map[string]string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, filepath.Join(dir, name), []byte(content))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var b bytes.Buffer
	if err := bundle.Pack(t.Context(), &b, root, bundled, fast); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fast compresses more quickly than what packs kernels.
func fast(_ context.Context, piece []byte) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return encoder.EncodeAll(piece, nil), nil
}

func goodBundle(t *testing.T, extra string) []byte {
	return packBundle(t, map[string]string{
		"vmlinux":                 string(vmlinux()) + extra,
		"modules/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
	})
}

// host serves one bundle, or whatever answer does, and counts the requests.
type host struct {
	*httptest.Server
	requests atomic.Int32
}

func serveBundle(t *testing.T, data []byte, answer http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		if answer != nil {
			answer(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(h.Close)
	return h
}

// entryFor is the catalog's entry for data at h.
func entryFor(h *host, data []byte) kernelcat.Entry {
	sum := sha256.Sum256(data)
	return kernelcat.Entry{
		Name: "generic-6.1", Distro: "generic", Arch: Arch, KernelVersion: "6.1.0",
		TarballURL: h.URL + "/k.tar.zst", TarballSHA256: hex.EncodeToString(sum[:]), SizeBytes: int64(len(data)),
	}
}

func pullOptions(e kernelcat.Entry) PullOptions {
	o := PullOptions{Entry: e}
	o.Fetch.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return o
}

// wantTree fails unless the store's directory holds just names.
func wantTree(t *testing.T, s *Store, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(s.tree.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("the store's directory holds %q, want %q", got, names)
	}
}

func TestPullCatalog(t *testing.T) {
	data := goodBundle(t, "")
	h := serveBundle(t, data, nil)
	s := testStore(t)
	o := pullOptions(entryFor(h, data))
	var done, total int64
	o.Progress = func(_ string, d, of int64) { done, total = d, of }
	k, outcome, err := s.PullCatalog(t.Context(), o)
	if err != nil || outcome != Pulled {
		t.Fatalf("%v, %v", outcome, err)
	}
	if k.BundleDigest != "sha256:"+o.Entry.TarballSHA256 || k.Source != o.Entry.TarballURL || k.Distro != "generic" || k.ModulesImage() == "" {
		t.Errorf("got %+v", k)
	}
	if done != int64(len(data)) || total != done {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	if err := s.Verify(t.Context(), k.Name); err != nil {
		t.Error(err)
	}
	wantTree(t, s, "generic-6.1")

	h.Close() // the same again needs no network
	again, outcome, err := s.PullCatalog(t.Context(), o)
	if err != nil || outcome != Present || again.Dir != k.Dir || h.requests.Load() != 1 {
		t.Errorf("%+v, %v, %v after %d requests", again, outcome, err, h.requests.Load())
	}
}

func TestPullBzImage(t *testing.T) {
	want := vmlinux()
	data := packBundle(t, map[string]string{"vmlinux": string(bzimage(compressions(t, want)["gzip"]))})
	h := serveBundle(t, data, nil)
	s := testStore(t)
	k, _, err := s.PullCatalog(t.Context(), pullOptions(entryFor(h, data)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(k.Vmlinux()); err != nil || !bytes.HasPrefix(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if entries, _ := os.ReadDir(k.Dir); len(entries) != 2 {
		t.Errorf("holds %v", entries)
	}
}

func TestPullRefuses(t *testing.T) {
	data := goodBundle(t, "")
	whole := func(e *kernelcat.Entry) {}
	noKernel := packBundle(t, map[string]string{"initrd.img": "x"})
	text := packBundle(t, map[string]string{"vmlinux": strings.Repeat("text\n", 1000)})
	tests := map[string]struct {
		data   []byte
		edit   func(*kernelcat.Entry)
		answer http.HandlerFunc
		want   string
	}{
		"digest":        {data, func(e *kernelcat.Entry) { e.TarballSHA256 = strings.Repeat("00", 32) }, nil, "is not what the catalog says: its SHA-256 is"},
		"size":          {data, func(e *kernelcat.Entry) { e.SizeBytes++ }, nil, "bytes, and the catalog says"},
		"name":          {data, func(e *kernelcat.Entry) { e.Name = "../x" }, nil, "kernel name"},
		"URL":           {data, func(e *kernelcat.Entry) { e.TarballURL = "http://192.0.2.1/x" }, nil, "only https is fetched"},
		"no vmlinux":    {noKernel, whole, nil, "the bundle holds no vmlinux"},
		"no kernel":     {text, whole, nil, "this is no kernel"},
		"no bundle":     {[]byte("0123456789"), whole, nil, "is not compressed with zstd"},
		"not found":     {data, whole, http.NotFound, "404 Not Found"},
		"breaks always": {data, whole, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection broke"},
		"shorter": {data, whole, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // no length
			w.Write(data[:len(data)-1])
		}, "bytes, and the catalog says"},
		"longer": {data, whole, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(append(bytes.Clone(data), "more"...))
		}, "has more bytes than"},
		"web page": {data, whole, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<html>")
		}, "sent a web page"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			h := serveBundle(t, test.data, test.answer)
			e := entryFor(h, test.data)
			test.edit(&e)
			s := testStore(t)
			_, _, err := s.PullCatalog(t.Context(), pullOptions(e))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want ... %s", err, test.want)
			}
			wantTree(t, s)
		})
	}
}

func TestPullOtherBundle(t *testing.T) {
	ctx := t.Context()
	first, second := goodBundle(t, ""), goodBundle(t, "patched")
	s := testStore(t)
	old := pullOptions(entryFor(serveBundle(t, first, nil), first))
	h := serveBundle(t, second, nil)
	bump := pullOptions(entryFor(h, second))
	if _, _, err := s.PullCatalog(ctx, old); err != nil {
		t.Fatal(err)
	}
	running, err := os.Open(s.tree.Path("generic-6.1", statedir.Vmlinux))
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()

	var other *TakenError
	_, _, err = s.PullCatalog(ctx, bump)
	if !errors.As(err, &other) || !errors.Is(err, statedir.ErrExist) || !other.Updatable() || h.requests.Load() != 0 {
		t.Errorf("%v after %d requests", err, h.requests.Load())
	}
	bump.Update = true
	k, outcome, err := s.PullCatalog(ctx, bump)
	if err != nil || outcome != Replaced || k.BundleDigest != digestOf(bump.Entry) {
		t.Errorf("%+v, %v, %v", k, outcome, err)
	}
	if got, err := io.ReadAll(running); err != nil || !bytes.Equal(got, vmlinux()) {
		t.Errorf("a running VM's kernel changed: %v", err)
	}
	if _, outcome, err = s.PullCatalog(ctx, bump); err != nil || outcome != Present {
		t.Errorf("%v, %v", outcome, err)
	}
	bump.Force = true
	if _, outcome, err = s.PullCatalog(ctx, bump); err != nil || outcome != Replaced || h.requests.Load() != 2 {
		t.Errorf("%v, %v after %d requests", outcome, err, h.requests.Load())
	}
	wantTree(t, s, "generic-6.1")
}

// What the user imported is not updated, but may be forced out of the way.
func TestPullOverImport(t *testing.T) {
	ctx := t.Context()
	data := goodBundle(t, "")
	o := pullOptions(entryFor(serveBundle(t, data, nil), data))
	o.Update = true
	s := testStore(t)
	if _, err := s.Import(ctx, ImportOptions{Name: o.Entry.Name, From: put(t, t.TempDir()+"/vmlinux", vmlinux())}); err != nil {
		t.Fatal(err)
	}
	var other *TakenError
	if _, _, err := s.PullCatalog(ctx, o); !errors.As(err, &other) || other.Updatable() {
		t.Errorf("got %v", err)
	}
	o.Force = true
	if _, outcome, err := s.PullCatalog(ctx, o); err != nil || outcome != Replaced {
		t.Errorf("%v, %v", outcome, err)
	}
}

func TestPullMendsDamage(t *testing.T) {
	data := goodBundle(t, "")
	o := pullOptions(entryFor(serveBundle(t, data, nil), data))
	s := testStore(t)
	k, _, err := s.PullCatalog(t.Context(), o)
	if err == nil {
		err = os.Remove(k.Vmlinux())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, outcome, err := s.PullCatalog(t.Context(), o); err != nil || outcome != Replaced {
		t.Errorf("%v, %v", outcome, err)
	}
	if err := s.Verify(t.Context(), k.Name); err != nil {
		t.Error(err)
	}
}

// What banger did not make is not deleted, whatever the flags; a kernel of its
// own whose manifest is damaged may go.
func TestPullForced(t *testing.T) {
	data := goodBundle(t, "")
	h := serveBundle(t, data, nil)
	o := pullOptions(entryFor(h, data))
	o.Update, o.Force = true, true
	s := testStore(t)
	own := put(t, s.tree.Path(o.Entry.Name, "id_ed25519"), []byte("secret"))
	if _, _, err := s.PullCatalog(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is not banger's to replace") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(own); err != nil || h.requests.Load() != 0 {
		t.Errorf("%v after %d requests", err, h.requests.Load())
	}
	put(t, s.tree.Path(o.Entry.Name, statedir.Manifest), []byte("{"))
	o.Force = false
	if _, _, err := s.PullCatalog(t.Context(), o); err == nil || !strings.Contains(err.Error(), "open kernel") {
		t.Errorf("got %v", err)
	}
	o.Force = true
	if _, outcome, err := s.PullCatalog(t.Context(), o); err != nil || outcome != Replaced {
		t.Errorf("%v, %v", outcome, err)
	}
	wantTree(t, s, o.Entry.Name)
}

// pullHere makes a run of this test program one pull, of the entry in it.
const pullHere = "BANGER_TEST_PULL"

func TestMain(m *testing.M) {
	job := os.Getenv(pullHere)
	if job == "" {
		os.Exit(m.Run())
	}
	var e kernelcat.Entry
	err := json.Unmarshal([]byte(job), &e)
	if err == nil {
		s := NewStore(statedir.Tree{Kind: "kernel", Dir: os.Getenv("BANGER_TEST_STORE")}, "v0")
		var outcome Outcome
		_, outcome, err = s.PullCatalog(context.Background(), pullOptions(e))
		fmt.Print(outcome)
	}
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
}

// Of many processes one downloads, and the others have what it got.
func TestPullsAtOnce(t *testing.T) {
	data := goodBundle(t, "")
	h := serveBundle(t, data, nil)
	s := testStore(t)
	job, err := json.Marshal(entryFor(h, data))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var pulled, present atomic.Int32
	for range 20 {
		all.Go(func() {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), pullHere+"="+string(job), "BANGER_TEST_STORE="+s.tree.Dir)
			out, err := c.Output()
			switch {
			case err != nil:
				t.Errorf("%s%v", out, err)
			case string(out) == fmt.Sprint(Pulled):
				pulled.Add(1)
			case string(out) == fmt.Sprint(Present):
				present.Add(1)
			}
		})
	}
	all.Wait()
	if pulled.Load() != 1 || present.Load() != 19 || h.requests.Load() != 1 {
		t.Errorf("%d pulled, %d found it, %d requests", pulled.Load(), present.Load(), h.requests.Load())
	}
	wantTree(t, s, "generic-6.1")
}

// Whoever waits for another's pull can be told to stop.
func TestPullCancelledWhileWaiting(t *testing.T) {
	data := goodBundle(t, "")
	o := pullOptions(entryFor(serveBundle(t, data, nil), data))
	s := testStore(t)
	lock, err := s.tree.Lock(t.Context(), o.Entry.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Remove()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.PullCatalog(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPullCancelled(t *testing.T) {
	data := goodBundle(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := serveBundle(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:len(data)/2])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	s := testStore(t)
	if _, _, err := s.PullCatalog(ctx, pullOptions(entryFor(h, data))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantTree(t, s)
}
