package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// chores are what people do to files, in $dir, which holds what /usr does.
var chores = []struct{ name, script string }{
	{"read every file", "tar -C $dir --one-file-system -cf - . | cat >/dev/null"},
	{"copy share", "cp -a $dir/share $dir/copy"},
	{"copy share again", "cp -a $dir/share $dir/copy2"},
	{"append to each file of share", `find $dir/share -type f -exec sh -c 'for f; do echo >>"$f"; done' _ {} +`},
	{"append to each again", `find $dir/share -type f -exec sh -c 'for f; do echo >>"$f"; done' _ {} +`},
	{"touch each file of lib", "find $dir/lib -xdev -type f -exec touch {} +"},
	{"write 300 blocks, each to the disk", "dd if=/dev/zero of=$dir/synced bs=4k count=300 oflag=dsync"},
	{"put 50 files in place, each to the disk", "for i in $(seq 50); do dd if=/dev/zero of=$dir/new bs=1k count=1 conv=fsync; mv $dir/new $dir/$i; done"},
	{"write 100 MiB", "dd if=/dev/zero of=$dir/large bs=1M count=100 conv=fsync"},
	{"remove it all", "rm -rf $dir/copy $dir/copy2 $dir/large"},
}

// rootPairs bounds how often a guest does all its chores: by emulation it takes minutes.
const rootPairs = 2

// overlayVolume is the disk that the overlay writes to, as a disk of its own.
const overlayVolume = "bench-overlay"

// root compares the guest's root with an overlay of it and a disk of its own, each
// in a guest of its own: what is written first differs from what is written again.
func (b bench) root(context.Context) error {
	onRoot, onOverlay := make([]sample, len(chores)), make([]sample, len(chores))
	const overlay = "mkdir /v/u /v/w /srv/m; dir=/srv/m; mount -t overlay -o lowerdir=/usr,upperdir=/v/u,workdir=/v/w,redirect_dir=on,xino=on none $dir"
	_, _, err := inTurn(min(b.pairs, rootPairs),
		func() (time.Duration, error) { return 0, b.doChores(onRoot, "dir=/usr") },
		func() (time.Duration, error) {
			defer exec.Command(b.banger, "volume", "rm", overlayVolume).Run()
			return 0, b.doChores(onOverlay, overlay, "--volume", overlayVolume+":/v")
		})
	if err != nil {
		return err
	}
	fmt.Println("on the root, on an overlay of it, and the ratio:")
	for i, c := range chores {
		a, o := onRoot[i][1:], onOverlay[i][1:] // the first round does not count
		fmt.Printf("  %-40s %8v %8v %6.2f\n", c.name, a.median().Round(time.Millisecond), o.median().Round(time.Millisecond), ratio(a, o))
	}
	return nil
}

// doChores times each chore in a new guest.
func (b bench) doChores(times []sample, setUp string, flags ...string) error {
	script := setUp + "\n"
	for _, c := range chores {
		script += "sync; echo 3 >/proc/sys/vm/drop_caches; begin=$(date +%s%N); { " + c.script + "; } >/dev/null 2>&1; sync; echo $(($(date +%s%N) - begin))\n"
	}
	args := append([]string{"-q", "vm", "run", "--rm", "--image", "debian", "--kernel", b.kernel}, flags...)
	out, err := exec.Command(b.banger, append(args, "--", "sh", "-ec", script)...).Output()
	if err != nil {
		return err
	}
	fields := strings.Fields(string(out))
	if len(fields) != len(chores) {
		return fmt.Errorf("the guest timed %d of %d chores: %s", len(fields), len(chores), out)
	}
	for i, f := range fields {
		var ns int64
		if _, err := fmt.Sscan(f, &ns); err != nil {
			return err
		}
		times[i] = append(times[i], time.Duration(ns))
	}
	return nil
}
