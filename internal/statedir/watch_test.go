package statedir

import (
	"errors"
	"testing"
)

// What is removed or replaced while it is looked at is looked at again.
func TestWatch(t *testing.T) {
	tree := testTree(t)
	if err := stageWith(t, tree, "one").Publish("a"); err != nil {
		t.Fatal(err)
	}
	damaged := errors.New("damaged")
	looks := 0
	look := func(change func() error) func() error {
		looks = 0
		return func() error {
			looks++
			if looks == 1 {
				if err := change(); err != nil {
					t.Fatal(err)
				}
				return damaged
			}
			return nil
		}
	}
	for _, tt := range []struct {
		what   string
		change func() error
		want   error
		looks  int
	}{
		{"nothing", func() error { return nil }, damaged, 1},
		{"replace", func() error { return stageWith(t, tree, "two").Replace("a") }, nil, 2},
		{"remove", func() error { return tree.Remove("a") }, ErrAbsent, 1},
	} {
		if err := tree.Watch("a", look(tt.change)); !errors.Is(err, tt.want) || looks != tt.looks {
			t.Errorf("%s: got %v after %d looks", tt.what, err, looks)
		}
	}
}
