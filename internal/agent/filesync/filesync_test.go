package filesync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"banger/internal/format/tree"
)

// content reads "f:text", "x:text" for an executable, "l:target" or "d".
func content(word string) Content {
	kind, text, _ := strings.Cut(word, ":")
	switch kind {
	case "f":
		return Content{File, false, text}
	case "x":
		return Content{File, true, text}
	case "l":
		return Content{Link, false, text}
	case "d":
		return Content{Kind: Dir}
	}
	return Content{}
}

// state reads "name=word name=word".
func state(text string) State {
	s := State{}
	for _, pair := range strings.Fields(text) {
		name, word, _ := strings.Cut(pair, "=")
		s[name] = Entry{Content: content(word)}
	}
	return s
}

func base(text string) Base {
	b := Base{}
	for name, e := range state(text) {
		b[name] = Known{Content: e.Content}
	}
	return b
}

func brief(p Plan) string {
	var words []string
	for _, c := range p.Push {
		words = append(words, fmt.Sprintf(">%s%s", c.Name, sign(c)))
	}
	for _, c := range p.Pull {
		words = append(words, fmt.Sprintf("<%s%s", c.Name, sign(c)))
	}
	for _, name := range p.Conflicts {
		words = append(words, "!"+name)
	}
	slices.Sort(p.Alike)
	for _, name := range p.Alike {
		words = append(words, "="+name)
	}
	return strings.Join(words, " ")
}

func sign(c Change) string {
	switch {
	case c.From.Kind == Absent:
		return "+"
	case c.To.Kind == Absent:
		return "-"
	}
	return "~"
}

func TestReconcile(t *testing.T) {
	for _, c := range []struct{ name, base, here, there, want string }{
		{"nothing anywhere", "", "", "", ""},
		{"nothing changed", "a=f:1 d=d d/b=l:x", "a=f:1 d=d d/b=l:x", "a=f:1 d=d d/b=l:x", "=a =d =d/b"},
		{"new here", "", "a=f:1", "", ">a+"},
		{"new there", "", "", "a=f:1", "<a+"},
		{"new on both, alike", "", "a=f:1", "a=f:1", "=a"},
		{"new on both, each its own", "", "a=f:1", "a=f:2", "!a"},
		{"new on both, and executable on one", "", "a=f:1", "a=x:1", "!a"},
		{"changed here", "a=f:1", "a=f:2", "a=f:1", ">a~"},
		{"changed there", "a=f:1", "a=f:1", "a=f:2", "<a~"},
		{"made executable here", "a=f:1", "a=x:1", "a=f:1", ">a~"},
		{"made executable there", "a=f:1", "a=f:1", "a=x:1", "<a~"},
		{"changed on both, alike", "a=f:1", "a=f:2", "a=f:2", "=a"},
		{"changed on both, each its own", "a=f:1", "a=f:2", "a=f:3", "!a"},
		{"executable here, other bytes there", "a=f:1", "a=x:1", "a=f:2", "!a"},
		{"removed here", "a=f:1", "", "a=f:1", ">a-"},
		{"removed there", "a=f:1", "a=f:1", "", "<a-"},
		{"removed on both", "a=f:1", "", "", "=a"},
		{"removed here, changed there", "a=f:1", "", "a=f:2", "<a+"},
		{"removed there, changed here", "a=f:1", "a=f:2", "", ">a+"},
		{"renamed here", "a=f:1", "b=f:1", "a=f:1", ">a- >b+"},
		{"renamed on both, alike", "a=f:1", "b=f:1", "b=f:1", "=a =b"},
		{"renamed on both, otherwise", "a=f:1", "b=f:1", "c=f:1", ">b+ <c+ =a"},
		{"swapped here", "a=f:1 b=f:2", "a=f:2 b=f:1", "a=f:1 b=f:2", ">a~ >b~"},
		{"a link for a file here", "a=f:1", "a=l:b", "a=f:1", ">a~"},
		{"a file for a link there", "a=l:b", "a=l:b", "a=f:1", "<a~"},
		{"a link here, another there", "a=l:1", "a=l:2", "a=l:3", "!a"},
		{"a directory for a file here", "a=f:1", "a=d a/b=f:1", "a=f:1", ">a~ >a/b+"},
		{"a directory for a file there", "a=f:1", "a=f:1", "a=d a/b=f:1", "<a~ <a/b+"},
		{"a file for a directory here", "a=d a/b=f:1", "a=f:1", "a=d a/b=f:1", ">a~ >a/b-"},
		{"a file for a directory here, with something new there", "a=d a/b=f:1", "a=f:1", "a=d a/b=f:1 a/c=f:2", ">a/b- !a !a/c"},
		{"a file for a directory here, with something changed there", "a=d a/b=f:1", "a=f:1", "a=d a/b=f:2", "!a !a/b"},
		{"a file for a directory there, with something new here", "a=d a/b=f:1", "a=d a/b=f:1 a/c=f:2", "a=f:1", "<a/b- !a !a/c"},
		{"a directory removed here, with something new there", "a=d a/b=f:1", "", "a=d a/b=f:1 a/c=f:2", ">a/b- <a/c+"},
		{"a directory removed there, with something changed here", "a=d a/b=f:1", "a=d a/b=f:2", "", ">a/b+"},
		{"a directory removed on both", "a=d a/b=f:1", "", "", "=a =a/b"},
		{"a file here, a directory there", "", "a=f:1", "a=d a/b=f:2", "!a !a/b"},
		{"directories without entries of their own", "", "a/b=f:1", "a/c=f:2", ">a/b+ <a/c+"},
		{"a file where the other has files without a directory's entry", "", "a=f:1", "a/c=f:2", "!a !a/c"},
		{"empty directories", "", "a=d", "b=d", ">a+ <b+"},
		{"an empty directory removed here", "a=d", "", "a=d", ">a-"},
		{"many at once", "a=f:1 b=f:1 c=f:1 d=f:1 e=f:1", "a=f:2 b=f:1 d=f:2 e=f:2", "a=f:1 b=f:2 c=f:1 d=f:3", ">a~ >c- >e+ <b~ !d"},
		{"all gone here", "a=f:1 b=f:1", "", "a=f:1 b=f:1", ">a- >b-"},
		{"all gone there", "a=f:1 b=f:1", "a=f:1 b=f:1", "", "<a- <b-"},
	} {
		p := Reconcile(base(c.base), state(c.here), state(c.there))
		if got := brief(p); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// What each side does leaves both alike, but for what is in conflict, and nothing
// that one side alone had is lost.
func TestReconcileConverges(t *testing.T) {
	name := []string{"a", "a/b"}
	states := []string{""}
	for _, word := range []string{"f:1", "f:2", "x:1", "l:t", "d"} {
		states = append(states, "a="+word, "a=d a/b="+word)
	}
	for _, b := range states {
		for _, h := range states {
			for _, th := range states {
				here, there := state(h), state(th)
				p := Reconcile(base(b), here, there)
				apply(t, there, p.Push, fmt.Sprint(b, "|", h, "|", th))
				apply(t, here, p.Pull, fmt.Sprint(b, "|", h, "|", th))
				for _, n := range name {
					if !alike(n, here, there) && !slices.Contains(p.Conflicts, n) && !below(n, p.Conflicts) {
						t.Errorf("%q, %q, %q: %s is not alike after %s", b, h, th, n, brief(p))
					}
				}
			}
		}
	}
}

func alike(name string, here, there State) bool {
	return here[name].Content == there[name].Content || implied(name, here) && implied(name, there)
}

// implied reports whether a name is a directory for what is in it.
func implied(name string, s State) bool {
	for other := range s {
		if strings.HasPrefix(other, name+"/") {
			return s[name].Kind == Dir || s[name].Kind == Absent
		}
	}
	return false
}

// below reports whether what a name is in, or what is in it, is in conflict.
func below(name string, conflicts []string) bool {
	for _, c := range conflicts {
		if strings.HasPrefix(name, c+"/") || strings.HasPrefix(c, name+"/") {
			return true
		}
	}
	return false
}

func apply(t *testing.T, side State, changes []Change, what string) {
	t.Helper()
	for _, c := range changes {
		if side[c.Name].Content != c.From {
			t.Errorf("%s: %s is not %v", what, c.Name, c.From)
		}
		side[c.Name] = Entry{Content: c.To}
		if c.To.Kind == Absent {
			delete(side, c.Name)
		}
	}
	for name := range side {
		if dir := filepath.Dir(name); dir != "." && side[dir].Kind != Dir && side[dir].Kind != Absent {
			t.Errorf("%s: %s is in what is no directory", what, name)
		}
	}
}

func TestHarmless(t *testing.T) {
	for _, c := range []struct{ name, pull, here, refused string }{
		{"files", "a=f:1 d/b=x:2", "", ""},
		{"links that stay inside", "a=l:b d/e/f=l:../../x/y d/g=l:./h", "", ""},
		{"an absolute link", "a=l:/etc/passwd", "", "a"},
		{"a link to above", "a=l:.. d/b=l:../../x", "", "a d/b"},
		{"a link by way of another", "d/l=l:.. e=l:d/l/../x", "", "e"},
		{"a link to nothing", "a=l:", "", "a"},
		{"into .git", ".git/hooks/pre-commit=x:1 sub/.GIT/config=f:1 git~1/x=f:1", "", ".git/hooks/pre-commit git~1/x sub/.GIT/config"},
		{"a .git that is a file", "sub/.git=f:gitdir", "", "sub/.git"},
		{"a link into .git", "hooks=l:.git/hooks", "", "hooks"},
		{"a bare repository", "b/HEAD=f:1 b/config=f:2 b/objects/x=f:3 b/refs/y=f:4 c=f:5", "", "b/HEAD b/config b/objects/x b/refs/y"},
		{"what completes one", "HEAD=f:1", "objects/x=f:1 refs=d config=f:1", "HEAD"},
		{"a configuration for one", "x/config=f:1", "x/HEAD=f:1 x/objects=d x/refs=d", "x/config"},
		{"a bare repository to who knows no case", "b/head=f:1 b/Config=f:2 b/OBJECTS/x=f:3 b/refs/y=f:4", "", "b/Config b/OBJECTS/x b/head b/refs/y"},
		{"one that has its objects elsewhere", "b/HEAD=f:1 b/commondir=f:../c c/config=f:2 c/objects=d c/refs=d", "", "b/HEAD b/commondir"},
		{"a bare repository to who sees not all of a name", "b/HEAD=f:1 b/objects.=d b/ref\u017f:x=d", "", "b/HEAD b/objects. b/ref\u017f:x"},
		{"what git obeys here", ".hooks/pre-commit=x:1 etc/git/conf=f:2 etc/git/other=f:3 a=f:4", "", ".hooks/pre-commit etc/git/conf"},
		{"what some file systems take for that", ".HOOKS./x=x:1 keep/x=f:2", "", ".HOOKS./x keep/x"},
		{"a link in the way of that", "etc=l:mine mine/git/conf=f:1", "", "etc"},
		{"not all of one", "HEAD=f:1 config=f:2 refs/x=f:3", "", ""},
	} {
		var pull []Change
		s := state(c.pull)
		for _, name := range s.Names() {
			pull = append(pull, Change{Name: name, To: s[name].Content})
		}
		left, refused := Harmless(pull, state(c.here), []string{".hooks", "etc/git/conf", "\u212aeep"})
		if got := strings.Join(refused, " "); got != c.refused || len(left)+len(refused) != len(pull) {
			t.Errorf("%s: refused %q, want %q", c.name, got, c.refused)
		}
	}
}

func TestScanAndHash(t *testing.T) {
	top := t.TempDir()
	for name, text := range map[string]string{"a": "A", "d/b": "B", ".git/config": "no", "skipped/c": "C", "d/.git": "no", ".banger-x": "no"} {
		if err := os.MkdirAll(filepath.Join(top, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../..", filepath.Join(top, "d/up")); err != nil {
		t.Fatal(err)
	}
	s, err := scanned(top, func(name string) bool { return name == "skipped" })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "d", "d/b", "d/up"}, s.Names()); diff != "" {
		t.Error(diff)
	}
	looked, err := Look(top, append(s.Names(), "gone", "gone/too", "d/up/etc"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, looked); diff != "" {
		t.Error(diff)
	}
	hashed, err := Hash(context.Background(), top, append(s.Names(), "gone"))
	if err != nil || len(hashed) != 2 || hashed["a"].Hash != "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd" {
		t.Errorf("%v, %v", hashed, err)
	}
	var out bytes.Buffer
	if err := s.Write(&out); err != nil {
		t.Fatal(err)
	}
	read, err := Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, read); diff != "" {
		t.Error(diff)
	}
	known := Base{}
	for name, e := range s {
		known[name] = Known{e.Content, e.Stamp, e.Stamp}
		if e.Kind != Dir { // which have no stamps
			known[name] = Known{e.Content, e.Stamp, tree.Stamp{Size: 1}}
		}
	}
	again, skip, err := DecodeBase(known.Encode([]string{"skipped"}))
	if err != nil || len(skip) != 1 || skip[0] != "skipped" {
		t.Errorf("%q, %v", skip, err)
	}
	if diff := cmp.Diff(known, again); diff != "" {
		t.Error(diff)
	}
}

// What the kernel shows of itself are no files to be kept alike.
func TestScanLeavesTheKernelsOut(t *testing.T) {
	top := t.TempDir()
	if err := os.MkdirAll(filepath.Join(top, "own/proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("proc", filepath.Join(top, "own/proc"), "proc", 0, ""); err != nil {
		t.Skipf("a file system cannot be mounted: %v", err)
	}
	defer unix.Unmount(filepath.Join(top, "own/proc"), unix.MNT_DETACH)
	s, err := scanned(top, func(string) bool { return false })
	if diff := cmp.Diff([]string{"own"}, s.Names()); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// What has changed since it was looked at is not removed.
func TestRemove(t *testing.T) {
	top := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Join(top, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"d/e/gone", "d/e/too", "d/gone", "changed", "sly", "stays", "dir/file", "absent"} {
		write(name, "x")
	}
	then := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(filepath.Join(top, "sly"), then, then); err != nil {
		t.Fatal(err)
	}
	s, err := Look(top, []string{"d/e/gone", "d/e/too", "d/gone", "changed", "sly", "d", "dir/file", "absent"})
	if err != nil {
		t.Fatal(err)
	}
	write("changed", "more")
	for now := s; now["sly"] == s["sly"]; { // as far as the file system counts time
		write("sly", "y")
		if err := os.Chtimes(filepath.Join(top, "sly"), then, then); err != nil {
			t.Fatal(err)
		}
		if now, err = Look(top, []string{"sly"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(top, "dir")), os.Remove(filepath.Join(top, "absent"))); err != nil {
		t.Fatal(err)
	}
	write("dir", "a file now")
	changed, err := s.Remove(top, true)
	if err != nil || len(changed) != 2 || changed["changed"].Kind != File || changed["sly"].Kind != File {
		t.Errorf("%v, %v", changed, err)
	}
	left, err := scanned(top, func(string) bool { return false })
	if diff := cmp.Diff([]string{"changed", "dir", "sly", "stays"}, left.Names()); err != nil || diff != "" {
		t.Error(diff, err)
	}
	if _, err := s.Remove(filepath.Join(top, "none"), true); err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	if err := state("a=f:1 d=d d/b=l:x").Write(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add([]byte{1, 0, 2, '.', '.', 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for name := range s {
			if !filepath.IsLocal(name) || Hidden(name) || name == "." {
				t.Errorf("%q came of it", name)
			}
		}
		var again bytes.Buffer
		if err := s.Write(&again); err != nil {
			t.Fatal(err)
		}
		if back, err := Read(&again); err != nil || !cmp.Equal(s, back) {
			t.Errorf("%v became %v, %v", s, back, err)
		}
	})
}

func scanned(top string, skip func(string) bool) (State, error) {
	var out bytes.Buffer
	if err := Scan(&out, top, skip); err != nil {
		return nil, err
	}
	return Read(&out)
}

// A guest's list is refused that would take the host hours to think about: what a name
// is in counts, and no name is longer than a path.
func TestReadRefusesDepth(t *testing.T) {
	deep := func(names, levels int) error {
		s := State{}
		for i := range names {
			s[fmt.Sprintf("%d/%sx", i, strings.Repeat("d/", levels))] = Entry{Content: Content{Kind: File}}
		}
		var list bytes.Buffer
		if err := s.Write(&list); err != nil {
			t.Fatal(err)
		}
		_, err := Read(&list)
		return err
	}
	for _, c := range []struct {
		names, levels int
		refused       bool
	}{{1, 2000, false}, {100, 500, false}, {1, 2100, true}, {300, 2000, true}} {
		if err := deep(c.names, c.levels); (err != nil) != c.refused {
			t.Errorf("%d names, %d deep: %v", c.names, c.levels, err)
		}
	}
}

// A name that some file system takes for .git is one.
func TestHidden(t *testing.T) {
	for _, name := range []string{
		".git", ".GIT", "a/.Git/config", "git~1", "GIT~1/hooks", ".git.", ".git ..", ".git::$INDEX_ALLOCATION/x", ".g\u200cit", "\u200d.git\ufeff/hooks", ".gi\ufe0ft", ".banger-x", "a/.banger-y/z",
	} {
		if !Hidden(name) {
			t.Errorf("%q is not hidden", name)
		}
	}
	for _, name := range []string{".gitignore", ".github/x", "git", "git~2", "a.git", ".gito", "g\u00eft", ".gi\u0165", "banger-x", "..", ".a"} {
		if Hidden(name) {
			t.Errorf("%q is hidden", name)
		}
	}
}

// Somebody waits at the keyboard, and a file may be as large as the disk.
func TestHashGivesUp(t *testing.T) {
	top := t.TempDir()
	if err := os.WriteFile(filepath.Join(top, "a"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Hash(ctx, top, []string{"a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What only one side has had is never taken for what was alike.
func TestSettled(t *testing.T) {
	file := func(hash string, size, time int64) Entry {
		return Entry{Content{Kind: File, Hash: hash}, tree.Stamp{Size: size, MTime: time, CTime: time, Inode: 1}}
	}
	there := func(e Entry, ctime int64) Entry {
		e.Stamp.CTime, e.Stamp.Inode = ctime, 7
		return e
	}
	sent := file("sent", 4, 10)
	placed := there(file("", 4, 10), 20)
	later := there(file("later", 5, 11), 21) // read when it had changed here
	for name, c := range map[string]struct {
		placed, found Entry
		alike         string
		from, to      tree.Stamp
	}{
		"as it was":                         {placed, there(sent, 20), "sent", sent.Stamp, placed.Stamp},
		"placed, then changed there":        {placed, there(file("theirs", 9, 30), 30), "sent", sent.Stamp, tree.Stamp{}},
		"placed, then removed there":        {placed, Entry{}, "sent", sent.Stamp, tree.Stamp{}},
		"changed here, then placed":         {there(file("", 5, 11), 21), later, "later", tree.Stamp{}, later.Stamp},
		"both":                              {there(file("", 5, 11), 21), there(file("theirs", 9, 30), 30), "", tree.Stamp{}, tree.Stamp{}},
		"gone here, and changed there":      {Entry{}, there(file("theirs", 9, 30), 30), "", tree.Stamp{}, tree.Stamp{}},
		"of no time":                        {Entry{Content: Content{Kind: File}}, there(sent, 20), "sent", sent.Stamp, placed.Stamp},
		"of no time, and changed there":     {Entry{Content: Content{Kind: File}}, there(file("theirs", 4, 30), 30), "", tree.Stamp{}, tree.Stamp{}},
		"too young to know, changed there":  {placed, Entry{Content{Kind: File, Hash: "theirs"}, tree.Stamp{}}, "sent", sent.Stamp, tree.Stamp{}},
		"nothing, and nothing is there now": {Entry{}, Entry{}, "", tree.Stamp{}, tree.Stamp{}},
	} {
		alike, from, to, known := Settled(sent, c.placed, c.found)
		if alike.Hash != c.alike || known != (c.alike != "") || from != c.from || to != c.to {
			t.Errorf("%s: %v, %v, %v, %v", name, alike, from, to, known)
		}
	}
}
