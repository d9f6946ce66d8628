package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/config"
	"banger/internal/statedir"
)

// side is a directory in which somebody works. Each content is one of a kind, and those
// that are overwritten or removed are noted: so what a sync has lost can be told.
type side struct {
	t   *testing.T
	dir string
	*works
}

// works are what was done on both sides.
type works struct {
	made atomic.Int64 // contents
	mu   sync.Mutex
	gone map[string]bool
}

// bothSides returns an engine with a VM called "box", and two directories.
func bothSides(t *testing.T) (e *Engine, here, there side, o SyncOptions) {
	e = newEngine(t)
	guestHere(t, e, "box")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	top, err := os.MkdirTemp("/dev/shm", "banger-test-") //nolint:usetesting // where nobody waits for a disk
	if err != nil {
		top = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	w := &works{gone: map[string]bool{}}
	here, there = side{t, filepath.Join(top, "here"), w}, side{t, filepath.Join(top, "there"), w}
	return e, here, there, SyncOptions{Dir: here.dir, To: there.dir, User: me.Username, Push: true, Pull: true, Delete: true}
}

// content is a new one, of which no part is one.
func (w *works) content() string {
	text := fmt.Sprintf("%d %s", w.made.Add(1), strings.Repeat("x", rand.IntN(3000)))
	return fmt.Sprintf("%s %x", text, sha256.Sum256([]byte(text)))
}

// numberOf says which content one is.
func numberOf(content []byte) (string, bool) {
	at := max(strings.LastIndexByte(string(content), ' '), 0)
	text := string(content[:at])
	number, _, _ := strings.Cut(text, " ")
	return number, fmt.Sprintf(" %x", sha256.Sum256([]byte(text))) == string(content[at:])
}

// discard removes a file that somebody has taken out of the directory.
func (s side) discard(file string) {
	data, err := os.ReadFile(file)
	number, whole := numberOf(data)
	if err != nil || !whole {
		s.t.Errorf("somebody had %d bytes of a file: %v", len(data), err)
	}
	s.mu.Lock()
	s.gone[number] = true
	s.mu.Unlock()
	os.Remove(file)
}

// write puts a new content in a file's place, or where there is none; private is a name
// for the moment.
func (s side) write(name, private string) {
	file := filepath.Join(s.dir, name)
	if err := os.WriteFile(private, []byte(s.content()), 0o644); err != nil {
		s.t.Error(err)
	}
	for {
		if unix.Renameat2(unix.AT_FDCWD, private, unix.AT_FDCWD, file, unix.RENAME_EXCHANGE) == nil {
			s.discard(private)
			return
		}
		os.MkdirAll(filepath.Dir(file), 0o755)
		if unix.Renameat2(unix.AT_FDCWD, private, unix.AT_FDCWD, file, unix.RENAME_NOREPLACE) == nil {
			return
		}
	}
}

// change does something to a file.
func (s side) change(name, private string) {
	switch rand.IntN(4) {
	case 0:
		if os.Rename(filepath.Join(s.dir, name), private) == nil {
			s.discard(private)
		}
	case 1:
		to := filepath.Join(s.dir, name+"."+strconv.Itoa(rand.IntN(3)))
		unix.Renameat2(unix.AT_FDCWD, filepath.Join(s.dir, name), unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	default:
		s.write(name, private)
	}
}

func fileName(i int) string { return fmt.Sprintf("d%d/f%d", i/100, i) }

// holds are the contents in a directory, by names.
func (s side) holds() map[string]string {
	all := map[string]string{}
	err := filepath.WalkDir(s.dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		number, whole := numberOf(data)
		if !whole {
			s.t.Errorf("%s has %d bytes, and is no whole file", file, len(data))
		}
		name, _ := filepath.Rel(s.dir, file)
		all[name] = number
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
	return all
}

// checkSides looks for what was lost, and for what differs though it is in no conflict.
func checkSides(here, there side, conflicts []string) {
	here.t.Helper()
	ours, theirs := here.holds(), there.holds()
	kept := map[string]bool{}
	for _, all := range []map[string]string{ours, theirs} {
		for name, number := range all {
			kept[number] = true
			if ours[name] != theirs[name] && !slices.Contains(conflicts, name) {
				here.t.Errorf("%s is %q here, and %q there", name, ours[name], theirs[name])
			}
		}
	}
	for i := range here.made.Load() {
		if number := strconv.FormatInt(i+1, 10); !kept[number] && !here.gone[number] {
			here.t.Errorf("the content %s is lost", number)
		}
	}
}

// filesOf is how many files a test takes: more by hand.
func filesOf(few int) int {
	n, _ := strconv.Atoi(os.Getenv("BANGER_TEST_FILES"))
	return cmp.Or(n, few)
}

// Whatever people do on both sides meanwhile, a sync loses nothing that they have not
// overwritten or removed themselves, and leaves no half of a file.
func TestSyncBesideOthers(t *testing.T) {
	e, here, there, o := bothSides(t)
	files := filesOf(1000)
	private := filepath.Join(filepath.Dir(here.dir), "private")
	for i := range files {
		here.write(fileName(i), private)
	}
	if _, err := e.Sync(t.Context(), "box", o); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var working sync.WaitGroup
	for i, s := range []side{here, there} {
		working.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.change(fileName(rand.IntN(files)), private+strconv.Itoa(i))
				}
			}
		})
	}
	for range 4 {
		found, err := e.Sync(t.Context(), "box", o)
		if err != nil {
			t.Error(err)
		}
		t.Logf("of %d contents: %d pushed, %d pulled, %d in conflict", here.made.Load(), len(found.Push), len(found.Pull), len(found.Conflicts))
	}
	close(stop)
	working.Wait()
	found, err := e.Sync(t.Context(), "box", o)
	if err != nil {
		t.Error(err)
	}
	checkSides(here, there, found.Conflicts)
}

// syncState has the test's program sync, with this state.
const syncState = "BANGER_TEST_SYNC_STATE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(syncState); dir != "" {
		o := SyncOptions{Dir: os.Args[1], To: os.Args[2], User: os.Args[3], Push: true, Pull: true, Delete: true}
		e := New(Options{Dirs: statedir.Dirs{State: dir}, Config: config.Default()})
		if _, err := e.Sync(context.Background(), "box", o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Wherever a sync is killed, each file is whole, nothing is lost, and the next one goes
// on.
func TestSyncKilled(t *testing.T) {
	e, here, there, o := bothSides(t)
	files := filesOf(300)
	private := filepath.Join(filepath.Dir(here.dir), "private")
	run := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), os.Args[0], o.Dir, o.To, o.User)
		cmd.Env, cmd.Stderr = append(os.Environ(), syncState+"="+e.Dirs.State), os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for i := range files {
		here.write(fileName(i), private)
	}
	begin := time.Now()
	if err := run().Wait(); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(begin)
	for range 12 {
		for range files {
			here.change(fileName(rand.IntN(files)), private)
			there.change(fileName(rand.IntN(files)), private)
		}
		cmd := run()
		time.AfterFunc(rand.N(takes), func() { cmd.Process.Kill() })
		cmd.Wait()
	}
	found, err := e.Sync(t.Context(), "box", o)
	if err != nil {
		t.Error(err)
	}
	checkSides(here, there, found.Conflicts)
}
