package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// atOnce is how many are at work on the same names.
const atOnce = 30

// crowd has many at work at once. They may lose a race, and have to say so.
func crowd(ctx context.Context, s *soak) error {
	h, remove, err := s.newHome("")
	if err != nil {
		return err
	}
	defer remove()
	for ; ctx.Err() == nil; s.rounds++ {
		var all sync.WaitGroup
		faults := make(chan error, atOnce)
		for range atOnce {
			o := s.operation()
			all.Go(func() { faults <- lose(h.run(o.args...)) })
		}
		all.Wait()
		close(faults)
		for fault := range faults {
			err = errors.Join(err, fault)
		}
		if err == nil {
			err = h.check()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lose is an error where a race was lost in a way that nobody understands.
func lose(r result, err error) error {
	for _, text := range []string{"no such file", "is damaged", "directory not empty"} {
		if err == nil && strings.Contains(r.stderr, text) {
			err = fmt.Errorf("a lost race reads as a fault: %s", r)
		}
	}
	return err
}
