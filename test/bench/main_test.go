package main

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// One benchmark that cannot be taken does not end the others, and is not
// forgotten.
func TestTakeAll(t *testing.T) {
	var taken []string
	take := func(name string, err error) benchmark {
		return benchmark{name, func(context.Context) error {
			taken = append(taken, name)
			return err
		}}
	}
	all := []benchmark{take("a", errors.New("panic")), take("b", nil), take("c", nil)}
	if err := takeAll(t.Context(), []string{"a", "c"}, all); err == nil || !slices.Equal(taken, []string{"a", "c"}) {
		t.Errorf("took %q, %v", taken, err)
	}
	if err := takeAll(t.Context(), []string{"b"}, all); err != nil {
		t.Error(err)
	}
}

// What of a guest's memory is private is told from what its VMM has for itself.
func TestPrivateOf(t *testing.T) {
	const smaps = `7f6337fff000-7f6377fff000 rw-p 00000000 fe:00 1234   /state/vms/f1/restore/memory (deleted)
Rss:               90000 kB
Private_Clean:      1024 kB
Private_Dirty:      3072 kB
7f6378000000-7f637bfff000 rw-p 00000000 00:00 0
Private_Dirty:     20480 kB
55bc011a6000-55bc01cbf000 rw-p 00000000 00:00 0    [heap]
Private_Clean:         0 kB
Private_Dirty:      1024 kB
`
	if guest, rest := privateOf(smaps, "memory"); guest != 4 || rest != 21 {
		t.Errorf("%d MiB of the guest's and %d others, want 4 and 21", guest, rest)
	}
}
