// Command soak does to banger for a while what a machine does in a year: it kills
// its processes at any time and at chosen system calls, cuts the power of the
// disk, fills it, and has many at work on the same names. After each of these, all
// that banger lists has to be whole, and nothing may be left of what it does not
// list.
//
// What is chosen follows from a seed, which is printed. It needs what make soak
// provides; what cannot be had on this machine is skipped, says why, and counts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// part is one kind of trouble, which goes on until its time is over.
type part struct {
	name string
	run  func(context.Context, *soak) error
}

var parts = []part{
	{"kills", kills}, {"syscalls", syscalls}, {"power", powerCuts}, {"space", noSpace}, {"inodes", noInodes},
	{"crowd", crowd}, {"guests", guests}, {"hostile", hostile},
}

// skipped says why a part cannot run on this machine.
type skipped struct{ why string }

func (e skipped) Error() string { return "skipped: " + e.why }

func main() {
	banger := flag.String("banger", "build/bin/banger", "banger to try")
	fixtures := flag.String("fixtures", "build/test/home", "home directory with the kernel and the image debian")
	length := flag.Duration("time", 30*time.Minute, "how long to go on")
	seed := flag.Uint64("seed", rand.Uint64(), "what decides what is done")
	only := flag.String("only", "", "the parts to run, separated by commas; all if none")
	flag.Parse()
	binary, err := filepath.Abs(*banger)
	if err == nil {
		*fixtures, err = filepath.Abs(*fixtures)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	fmt.Printf("soak: seed %d\n", *seed)
	s := &soak{banger: binary, fixtures: *fixtures, seed: *seed}
	if !s.runAll(chosen(*only), *length) {
		os.Exit(1)
	}
}

func chosen(only string) []part {
	if only == "" {
		return parts
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool {
		return !slices.Contains(strings.Split(only, ","), p.name)
	})
}

// soak is what the parts have in common.
type soak struct {
	banger, fixtures string
	seed             uint64
	rand             *rand.Rand // of the part under way
	rounds           int        // of the part under way
	registry         string     // the address of a registry with two images
	catalog          string     // the URL of a catalog with nothing in it
	packages         bool       // there is an archive of packages
}

// runAll runs the parts for the same time each, however long one before took, and
// sums up in the last line.
func (s *soak) runAll(all []part, length time.Duration) bool {
	passed, failed, left := 0, 0, 0
	rounds, share := 0, length/time.Duration(len(all))
	for i, p := range all {
		s.rand, s.rounds = rand.New(rand.NewPCG(s.seed, uint64(slices.IndexFunc(parts, func(q part) bool { return q.name == p.name })))), 0
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), max(share, length/time.Duration(len(all)-i)))
		err := p.run(ctx, s)
		cancel()
		length -= min(length, time.Since(begin))
		rounds += s.rounds
		switch {
		case err == nil:
			passed++
			fmt.Printf("soak: %s: %d rounds in %s\n", p.name, s.rounds, time.Since(begin).Round(time.Second))
		case errors.As(err, new(skipped)):
			left++
			fmt.Printf("soak: %s: %v\n", p.name, err)
		default:
			failed++
			fmt.Printf("soak: %s: round %d: %v\nsoak: again: -seed %d -only %s\n", p.name, s.rounds, err, s.seed, p.name)
		}
	}
	fmt.Printf("soak: seed %d: %d parts passed, %d failed, %d skipped; %d rounds\n", s.seed, passed, failed, left, rounds)
	return failed == 0
}

// pick returns one of all.
func pick[T any](s *soak, all []T) T { return all[s.rand.IntN(len(all))] }
