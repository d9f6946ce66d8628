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
