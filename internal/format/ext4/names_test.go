package ext4

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The table does what a map does.
func TestNamesAsMap(t *testing.T) {
	type key struct {
		parent uint32
		name   string
	}
	random := rand.New(rand.NewPCG(1, 2))
	table, model := newNames(), map[key]uint32{}
	for i := range 20_000 {
		k := key{random.Uint32N(20), fmt.Sprint("name-", random.Uint32N(300))}
		if got := table.get(k.parent, k.name); got != model[k] {
			t.Fatalf("step %d: %v is %d, want %d", i, k, got, model[k])
		}
		inode := random.Uint32N(4) * uint32(i) // 0 now and then
		if err := table.set(k.parent, k.name, inode); err != nil {
			t.Fatal(err)
		}
		model[k] = inode
	}
	for k, want := range model {
		if got := table.get(k.parent, k.name); got != want {
			t.Errorf("%v is %d, want %d", k, got, want)
		}
	}
}

func TestNamesByParent(t *testing.T) {
	table := newNames()
	for i, e := range []struct {
		parent uint32
		name   string
	}{{7, "z"}, {2, "b"}, {7, "gone"}, {2, "a"}, {7, ""}, {7, strings.Repeat("n", 255)}, {3, "a"}} {
		if err := table.set(e.parent, e.name, uint32(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.set(7, "gone", 0); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range table.byParent() {
		name := table.name(e)
		got = append(got, fmt.Sprintf("%d/%s=%d", e.parent, name[:min(len(name), 3)], e.inode))
	}
	if want := []string{"2/b=2", "2/a=4", "3/a=7", "7/z=1", "7/=5", "7/nnn=6"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
