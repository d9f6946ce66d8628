package volume

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/ref"
	"banger/internal/statedir"
	"banger/internal/vm"
)

func testStore(t *testing.T) *Store {
	t.Helper()
	return NewStore(statedir.Tree{Kind: "volume", Dir: filepath.Join(t.TempDir(), "volumes")}, "test")
}

func create(t *testing.T, s *Store, name string, size int64) Volume {
	t.Helper()
	v, err := s.Create(t.Context(), name, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A volume is a file system without a fault, and takes little room.
func TestCreate(t *testing.T) {
	s := testStore(t)
	for name, size := range map[string]int64{"least": MinSize, "odd": 100<<20 + 1, "usual": 8 << 30, "large": 300 << 30} {
		v := create(t, s, name, size)
		if v.SizeBytes < size || v.SizeBytes >= size+4096 || v.DiskUsage > 2<<20 || v.CreatedAt.IsZero() {
			t.Errorf("%s: got %+v", name, v)
		}
		if out, err := exec.Command("/usr/sbin/e2fsck", "-fn", s.file(name)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		out, err := exec.Command("/usr/sbin/dumpe2fs", "-h", s.file(name)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "has_journal") {
			t.Errorf("%s has no journal: %v\n%s", name, err, out)
		}
	}
	if all, err := s.List(); err != nil || len(all) != 4 || all[0].Name != "large" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	s := testStore(t)
	create(t, s, "taken", MinSize)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, tt := range map[string]struct {
		ctx    context.Context
		name   string
		size   int64
		labels vm.Labels
	}{
		"taken":     {t.Context(), "taken", MinSize, nil},
		"malformed": {t.Context(), "../x", MinSize, nil},
		"small":     {t.Context(), "new", 4096, nil},
		"negative":  {t.Context(), "new", -1, nil},
		"large":     {t.Context(), "new", MaxSize + 1, nil},
		"label":     {t.Context(), "new", MinSize, vm.Labels{"=": ""}},
		"cancelled": {ended, "new", MinSize, nil},
	} {
		if _, err := s.Create(tt.ctx, tt.name, tt.size, tt.labels); err == nil {
			t.Errorf("%s: made", what)
		}
	}
	if entries, _ := os.ReadDir(s.tree.Dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAttach(t *testing.T) {
	s := testStore(t)
	create(t, s, "data", MinSize)
	writer, reader := vm.Volume{Name: "data", Path: "/d"}, vm.Volume{Name: "data", Path: "/d", ReadOnly: true}
	attach := func(v vm.Volume) (*Attachment, error) { return s.Attach(t.Context(), v) }
	must := func(v vm.Volume) *Attachment {
		t.Helper()
		a, err := attach(v)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	var attached *AttachedError

	one, two := must(reader), must(reader)
	if _, err := attach(writer); !errors.As(err, &attached) {
		t.Errorf("a writer beside readers: %v", err)
	}
	if err := s.Remove(t.Context(), "data"); !errors.As(err, &attached) {
		t.Errorf("removed under readers: %v", err)
	}
	one.Release()
	two.Release()
	alone := must(writer)
	for _, v := range []vm.Volume{reader, writer} {
		if _, err := attach(v); !errors.As(err, &attached) {
			t.Errorf("%s beside a writer: %v", v, err)
		}
	}
	if _, err := s.Set(t.Context(), "data", Change{Size: 2 * MinSize}); !errors.As(err, &attached) {
		t.Errorf("set under a writer: %v", err)
	}
	alone.Release()
	if _, err := attach(vm.Volume{Name: "dato", Path: "/d"}); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("attached what is not there: %v", err)
	}
	if err := s.Remove(t.Context(), "data"); err != nil {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), "data"); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("removed twice: %v", err)
	}
	if entries, _ := os.ReadDir(s.tree.Dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// What a guest left half-way is a writer's to repair, and what is no file system
// is the guest's own affair.
func TestAttachDirty(t *testing.T) {
	s := testStore(t)
	create(t, s, "data", MinSize)
	f, err := os.OpenFile(s.file("data"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const incompatAt, needsRecovery = 1024 + 96, 4
	feature := make([]byte, 4)
	if _, err := f.ReadAt(feature, incompatAt); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(feature, binary.LittleEndian.Uint32(feature)|needsRecovery)
	if _, err := f.WriteAt(feature, incompatAt); err != nil {
		t.Fatal(err)
	}
	for readOnly, want := range map[bool]bool{true: false, false: true} {
		a, err := s.Attach(t.Context(), vm.Volume{Name: "data", Path: "/d", ReadOnly: readOnly})
		if err == nil {
			a.Release()
		}
		if (err == nil) != want || !want && !errors.As(err, new(*DirtyError)) {
			t.Errorf("read-only %v: got %v", readOnly, err)
		}
	}
	if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	a, err := s.Attach(t.Context(), vm.Volume{Name: "data", Path: "/d", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
}

func TestSet(t *testing.T) {
	s := testStore(t)
	create(t, s, "data", MinSize)
	v, err := s.Set(t.Context(), "data", Change{Size: 3 * MinSize, Labels: vm.Labels{"a": "1", "b": "2"}})
	if err != nil || v.SizeBytes != 3*MinSize || v.Labels.String() != "a=1,b=2" {
		t.Errorf("got %+v, %v", v, err)
	}
	v, err = s.Set(t.Context(), "data", Change{Labels: vm.Labels{"a": ""}})
	if err != nil || v.SizeBytes != 3*MinSize || v.Labels.String() != "b=2" {
		t.Errorf("got %+v, %v", v, err)
	}
	for _, c := range []Change{{Size: MinSize}, {Size: MaxSize + 1}, {Labels: vm.Labels{"": "x"}}} {
		if _, err := s.Set(t.Context(), "data", c); err == nil {
			t.Errorf("%+v was done", c)
		}
	}
	if _, err := s.Set(t.Context(), "dato", Change{Size: MinSize}); !errors.As(err, new(*NotFoundError)) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Get("../data"); !errors.As(err, new(*ref.NameError)) {
		t.Errorf("got %v", err)
	}
}

// A damaged volume is seen and can be removed, as it may be all that is left.
func TestDamaged(t *testing.T) {
	s := testStore(t)
	create(t, s, "data", MinSize)
	if err := os.WriteFile(s.tree.Path("data", statedir.Manifest), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0].Name != "data" {
		t.Errorf("got %+v, %v", all, err)
	}
	if err := s.Remove(t.Context(), "data"); err != nil {
		t.Error(err)
	}
}
