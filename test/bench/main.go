// Command bench measures banger against what it stands on, in turn, so that a
// noisy machine disturbs both sides alike. It needs what make bench provides.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == peakFlag {
		exitOn(printPeak(os.Args[2:]))
		return
	}
	pairs := flag.Int("pairs", 5, "how often to measure each side")
	banger := flag.String("banger", "build/bin/banger", "banger to measure")
	kernel := flag.String("kernel", "debian", "kernel to boot")
	only := flag.String("only", "boot,exec,files,create,warm,fork,qemu,firecracker,root,pull,list,image,port", "the benchmarks to run; network needs a kernel with its drivers built in, and mount the image "+mountImage)
	flag.Parse()
	b := bench{banger: *banger, kernel: *kernel, pairs: *pairs}
	exitOn(takeAll(context.Background(), strings.Split(*only, ","), []benchmark{
		{"boot", b.boot}, {"exec", b.exec}, {"files", b.files}, {"create", b.create}, {"warm", b.warm}, {"fork", b.fork}, {"qemu", b.vmm("qemu")}, {"firecracker", b.vmm("firecracker")}, {"root", b.root},
		{"pull", b.pull}, {"list", b.list}, {"image", b.image}, {"mount", b.mount}, {"network", b.network}, {"port", b.port},
	}))
}

// benchmark is one that may be taken without the others.
type benchmark struct {
	name string
	take func(context.Context) error
}

// takeAll takes the benchmarks whose names are in only. One that cannot be taken
// says so, and the others go on; the error says how many those were.
func takeAll(ctx context.Context, only []string, all []benchmark) error {
	failed := 0
	for _, m := range all {
		if !slices.Contains(only, m.name) {
			continue
		}
		if err := m.take(ctx); err != nil {
			fmt.Printf("%s is not measured: %v\n", m.name, err)
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of the benchmarks could not be taken", failed)
	}
	return nil
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	banger, kernel string
	pairs          int
}

// sample is a number of durations.
type sample []time.Duration

func (s sample) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

func (s sample) String() string {
	return fmt.Sprintf("median %v, from %v to %v",
		s.median().Round(time.Millisecond/10), slices.Min(s).Round(time.Millisecond/10), slices.Max(s).Round(time.Millisecond/10))
}

// ratio is the median of the pairs' ratios.
func ratio(a, b sample) float64 {
	var all []float64
	for i := range a {
		all = append(all, float64(a[i])/float64(b[i]))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// inTurn measures a, b, a, b, ... after one round that does not count.
func inTurn(pairs int, a, b func() (time.Duration, error)) (as, bs sample, err error) {
	for i := range pairs + 1 {
		ta, err := a()
		if err != nil {
			return nil, nil, err
		}
		tb, err := b()
		if err != nil {
			return nil, nil, err
		}
		if i > 0 {
			as, bs = append(as, ta), append(bs, tb)
		}
	}
	return as, bs, nil
}
