package statedir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func testTree(t *testing.T) Tree {
	t.Helper()
	return Tree{Kind: "thing", Dir: filepath.Join(t.TempDir(), "things")}
}

func stageWith(t *testing.T, tree Tree, content string) *Stage {
	t.Helper()
	stage, err := tree.Stage()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stage.Path("file"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return stage
}

func contentOf(t *testing.T, tree Tree, name string) string {
	t.Helper()
	data, err := os.ReadFile(tree.Path(name, "file"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wantOnly fails unless the tree's directory holds just names.
func wantOnly(t *testing.T, tree Tree, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(tree.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("directory holds %q, want %q", got, names)
	}
}

func TestDefault(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("XDG_CACHE_HOME", "/cache")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("BANGER_KERNELS_DIR", "")
	d, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	want := Dirs{
		State:   "/home/u/.local/state/banger",
		Cache:   "/cache/banger",
		Config:  "/home/u/.config/banger",
		Data:    "/home/u/.local/share/banger",
		Kernels: "/home/u/.local/state/banger/kernels",
	}
	if d != want {
		t.Errorf("got %+v, want %+v", d, want)
	}
	t.Setenv("BANGER_KERNELS_DIR", "/k")
	if d, _ = Default(); d.KernelTree().Dir != "/k" {
		t.Errorf("BANGER_KERNELS_DIR is not heeded: %s", d.KernelTree().Dir)
	}
}

func TestPublishIsInvisibleBefore(t *testing.T) {
	tree := testTree(t)
	stage := stageWith(t, tree, "one")
	if names, err := tree.Names(); err != nil || len(names) > 0 {
		t.Fatalf("a staged entry is listed: %q, %v", names, err)
	}
	if err := stage.Publish("a"); err != nil {
		t.Fatal(err)
	}
	stage.Discard() // does nothing now
	if got := contentOf(t, tree, "a"); got != "one" {
		t.Errorf("content is %q", got)
	}
	wantOnly(t, tree, "a")
}

func TestPublishRefusesTakenName(t *testing.T) {
	tree := testTree(t)
	if err := stageWith(t, tree, "one").Publish("a"); err != nil {
		t.Fatal(err)
	}
	second := stageWith(t, tree, "two")
	if err := second.Publish("a"); !errors.Is(err, ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	second.Discard()
	if got := contentOf(t, tree, "a"); got != "one" {
		t.Errorf("content is %q", got)
	}
	wantOnly(t, tree, "a")
}

func TestReplace(t *testing.T) {
	tree := testTree(t)
	for _, content := range []string{"one", "two"} {
		if err := stageWith(t, tree, content).Replace("a"); err != nil {
			t.Fatal(err)
		}
		if got := contentOf(t, tree, "a"); got != content {
			t.Errorf("content is %q, want %q", got, content)
		}
	}
	wantOnly(t, tree, "a")
}

func TestReplaceKeepsOpenFiles(t *testing.T) {
	tree := testTree(t)
	if err := stageWith(t, tree, "one").Replace("a"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(tree.Path("a", "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := stageWith(t, tree, "two").Replace("a"); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); err != nil || string(data) != "one" {
		t.Errorf("a running VM's file became %q, %v", data, err)
	}
}

func TestSweep(t *testing.T) {
	tree := testTree(t)
	abandoned := stageWith(t, tree, "dead")
	abandoned.lock.Release() // as the kernel does when its process dies
	living := stageWith(t, tree, "alive")
	halfMade := tree.Path(stagePrefix + "without-lock") // as a power cut can leave it
	for _, dir := range []string{tree.Path(trashPrefix + "x"), halfMade} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := tree.Lock(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	dead.Release()
	held, err := tree.Lock(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tree.Path(newPrefix+"file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tree.Sweep()
	wantOnly(t, tree, ".lock-held", filepath.Base(living.Dir), filepath.Base(living.Dir)+lockSuffix)
	if _, err := os.Stat(abandoned.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an abandoned stage is still there: %v", err)
	}
	if err := living.Publish("a"); err != nil {
		t.Errorf("a living stage was swept up: %v", err)
	}
	held.Remove()
	wantOnly(t, tree, "a")
}

// Every root is swept, and none is made for it.
func TestSweepDirs(t *testing.T) {
	top := t.TempDir()
	d := Dirs{
		State: filepath.Join(top, "state"), Cache: filepath.Join(top, "cache"),
		Config: filepath.Join(top, "config"), Kernels: filepath.Join(top, "kernels"),
	}
	d.Sweep()
	if entries, _ := os.ReadDir(top); len(entries) > 0 {
		t.Errorf("sweeping made %v", entries)
	}
	dirs := []string{d.Kernels, d.ImageTree().Dir, d.VMTree().Dir, d.SnapshotTree().Dir, d.BlobTree().Dir, d.CatalogTree().Dir, d.BuildTree().Dir, d.AptDir(), filepath.Dir(d.VersionsFile()), d.Config}
	for _, dir := range dirs {
		if err := MakeDir(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, newPrefix+"x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.Sweep()
	for _, dir := range dirs {
		wantOnly(t, Tree{Dir: dir})
	}
}

// A volume's and a network's files are written anew where they are.
func TestSweepOfEntries(t *testing.T) {
	d := Dirs{State: t.TempDir()}
	for _, tree := range []Tree{d.VolumeTree(), d.NetworkTree()} {
		for _, name := range []string{"dead", "alive"} {
			if err := MakeDir(tree.Path(name)); err != nil {
				t.Fatal(err)
			}
			draft, err := TryLock(tree.Path(name, newPrefix+Manifest))
			if err != nil {
				t.Fatal(err)
			}
			if name == "dead" {
				draft.Release()
			} else {
				defer draft.Release()
			}
		}
	}
	d.Sweep()
	for _, tree := range []Tree{d.VolumeTree(), d.NetworkTree()} {
		wantOnly(t, Tree{Dir: tree.Path("dead")})
		wantOnly(t, Tree{Dir: tree.Path("alive")}, newPrefix+Manifest)
	}
}

// Makers and sweepers at once: none takes from another what it makes.
func TestSweepBesideMakers(t *testing.T) {
	tree := testTree(t)
	var makers, sweepers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		sweepers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					tree.Sweep()
				}
			}
		})
	}
	for i := range 8 {
		makers.Go(func() {
			for j := range 20 {
				makeAndRemove(t, tree, fmt.Sprintf("%d-%d", i, j))
			}
		})
	}
	makers.Wait()
	close(done)
	sweepers.Wait()
	tree.Sweep()
	wantOnly(t, tree, "file")
}

func makeAndRemove(t *testing.T, tree Tree, name string) {
	lock, err := tree.Lock(t.Context(), name)
	if err != nil {
		t.Error(err)
		return
	}
	defer lock.Remove()
	stage, err := tree.Stage()
	if err != nil {
		t.Error(err)
		return
	}
	defer stage.Discard()
	if err := os.WriteFile(stage.Path("file"), []byte(name), 0o600); err != nil {
		t.Error(err)
	}
	if err := errors.Join(stage.Publish(name), WriteJSON(filepath.Join(tree.Dir, "file"), name), tree.Remove(name)); err != nil {
		t.Error(err)
	}
}

func TestStagesInParallel(t *testing.T) {
	tree := testTree(t)
	var wg sync.WaitGroup
	published := make(chan error, 20)
	for range cap(published) {
		wg.Go(func() {
			stage, err := tree.Stage()
			if err == nil {
				defer stage.Discard()
				err = stage.Publish("a")
			}
			published <- err
		})
	}
	wg.Wait()
	close(published)
	won := 0
	for err := range published {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrExist):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d won the name", won)
	}
	wantOnly(t, tree, "a")
}

func TestRemoveAndRename(t *testing.T) {
	tree := testTree(t)
	for _, name := range []string{"a", "b"} {
		if err := stageWith(t, tree, name).Publish(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Rename("a", "b"); !errors.Is(err, ErrExist) {
		t.Errorf("rename over an entry: %v", err)
	}
	if err := tree.Rename("a", "c"); err != nil {
		t.Error(err)
	}
	if err := tree.Remove("b"); err != nil {
		t.Error(err)
	}
	if err := tree.Remove("b"); !errors.Is(err, ErrAbsent) {
		t.Errorf("removed twice: %v", err)
	}
	if err := tree.Rename("b", "d"); !errors.Is(err, ErrAbsent) {
		t.Errorf("renamed after that: %v", err)
	}
	wantOnly(t, tree, "c")
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if Locked(path) {
		t.Error("an absent lock is held")
	}
	first, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if !Locked(path) {
		t.Error("a held lock is not seen")
	}
	if _, err := TryLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("taken twice: %v", err)
	}
	first.Release()
	if Locked(path) {
		t.Error("a released lock is still held")
	}
}

// A lock of which nothing can be known may be somebody's, who is not to be swept up.
func TestLockedWhereNothingIsKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	if !Locked(path) {
		t.Error("it is nobody's")
	}
}

func TestWaitLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := WaitLock(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait returned %v", err)
	}
	got := make(chan error)
	go func() {
		lock, err := WaitLock(context.Background(), path)
		if err == nil {
			lock.Release()
		}
		got <- err
	}()
	first.Remove() // the waiter has to find the new file, not the removed one
	if err := <-got; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the waiter locked a file that is not there: %v", err)
	}
}

func TestTreeLock(t *testing.T) {
	tree := testTree(t)
	lock, err := tree.Lock(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := tree.Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked twice: %v", err)
	}
	other, err := tree.Lock(context.Background(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if names, err := tree.Names(); err != nil || len(names) > 0 {
		t.Errorf("a lock is listed: %q, %v", names, err)
	}
	lock.Remove()
	other.Remove()
	wantOnly(t, tree)
}

func TestWriteJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	for _, value := range []string{"one", "two"} {
		if err := WriteJSON(path, value); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := ReadJSON(path, &got); err != nil || got != value {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if err := WriteJSON(filepath.Join(path, "below", "a", "file"), 1); err == nil {
		t.Error("writing below a file succeeded")
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("temporary files are left: %v", entries)
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
}

func TestWriteFileKeepsTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 || info.Size() != 3 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestReadJSONNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := ReadJSON(path, &v); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestSocketWithLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 150))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	for range 2 { // the second time over what the first left
		listener, err := ListenSocket(path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := listener.Accept()
			if err == nil {
				io.WriteString(conn, "hello")
				conn.Close()
			}
		}()
		conn, err := DialSocket(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); string(got) != "hello" {
			t.Errorf("read %q", got)
		}
		conn.Close()
		listener.Close()
	}
	if _, err := DialSocket(context.Background(), path); err == nil {
		t.Error("connected to a socket that nobody serves")
	}
}

// Readers share a lock, and keep others out until the last has let go.
func TestReadLockSoon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, err := ReadLockSoon(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := ReadLockSoon(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	one.Release()
	if _, err := TryLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("taken beside a reader: %v", err)
	}
	two.Release()
	alone, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Release()
	if _, err := ReadLockSoon(t.Context(), path); !errors.Is(err, ErrLocked) {
		t.Errorf("read beside its owner: %v", err)
	}
}
