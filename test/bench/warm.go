package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"banger/internal/kernel"
	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/warm"
)

// What a start of a guest that has booted is to take of one that boots.
const (
	warmGoal     = 0.30
	warmInitGoal = 0.10
)

const warmVM = "bench-warm"

// warm compares vm run with a template with vm run --cold, from the command to its
// output: of what is there at once, and of an init that has finished booting.
func (b bench) warm(ctx context.Context) error {
	dirs, err := statedir.Default()
	if err != nil {
		return err
	}
	k, err := kernel.NewStore(dirs.KernelTree(), "").Get(b.kernel)
	if err != nil {
		return err
	}
	os.Setenv("BANGER_WARM", "true")
	defer os.Unsetenv("BANGER_WARM")
	defer warm.NewStore(dirs.WarmTree(), "").RemoveWhere(func(warm.Template) bool { return true })
	begin := time.Now()
	if out, err := exec.CommandContext(ctx, b.banger, "-q", "image", "warm", "debian", "--kernel", b.kernel).CombinedOutput(); err != nil {
		return fmt.Errorf("make a template: %w: %s", err, out)
	}
	fmt.Printf("image warm: %.1f s, %s on disk\n", time.Since(begin).Seconds(), onDisk(dirs.WarmTree().Dir))
	for _, part := range []struct {
		what string
		goal float64
		args []string
	}{
		{"vm run --rm -- uname -r", warmGoal, []string{"--", "uname", "-r"}},
		{"vm run --rm --wait-init -- uname -r", warmInitGoal, []string{"--wait-init", "--", "uname", "-r"}},
	} {
		run := func(flags ...string) func() (time.Duration, error) {
			return func() (time.Duration, error) {
				args := append([]string{"-q", "vm", "run", "--rm", "--image", "debian", "--kernel", b.kernel}, flags...)
				return untilLine(exec.CommandContext(ctx, b.banger, append(args, part.args...)...), k.KernelVersion)
			}
		}
		warmly, cold, err := inTurn(b.pairs, run(), run("--cold"))
		if err != nil {
			return err
		}
		fmt.Printf("%s, warm: %v\n%s, cold: %v\nratio %.2f (goal %.2f, kernel %s)\n",
			part.what, warmly, part.what, cold, ratio(warmly, cold), part.goal, k.KernelVersion)
	}
	return b.whereWarm(ctx)
}

// whereWarm says where the time of a warm start goes, by a median of each part.
func (b bench) whereWarm(ctx context.Context) error {
	parts := map[string]sample{}
	add := func(what string, took time.Duration) { parts[what] = append(parts[what], took) }
	for range b.pairs {
		if err := b.oneWarm(ctx, add); err != nil {
			return err
		}
	}
	fmt.Println("of which, in medians of a start each:")
	for _, what := range []string{"process", "prepare", "load", "identity", "link", "command"} {
		fmt.Printf("  %-9s %v\n", what, parts[what])
	}
	return nil
}

// oneWarm starts a VM warm and runs a command in it.
func (b bench) oneWarm(ctx context.Context, add func(string, time.Duration)) (err error) {
	run := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, b.banger, append([]string{"-q"}, args...)...)
	}
	if out, err := run("vm", "create", "--image", "debian", "--kernel", b.kernel, "--name", warmVM).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	defer func() { err = errors.Join(err, run("vm", "rm", "--force", warmVM).Run()) }()
	start, err := timed(run("vm", "start", warmVM))
	if err != nil {
		return err
	}
	command, err := timed(run("vm", "exec", warmVM, "--", "uname", "-r"))
	if err != nil {
		return err
	}
	shown, err := run("vm", "show", "--json", warmVM).Output()
	if err != nil {
		return err
	}
	var v vm.VM
	if err := json.Unmarshal(shown, &v); err != nil {
		return err
	}
	if v.State.Start != vm.Warm || v.State.Took == nil {
		return fmt.Errorf("the start was %q", v.State.Start)
	}
	took := *v.State.Took
	inside := took.Prepare + took.Load + took.Identity + took.Link
	add("process", start-time.Duration(inside)*time.Millisecond)
	for what, ms := range map[string]int64{"prepare": took.Prepare, "load": took.Load, "identity": took.Identity, "link": took.Link} {
		add(what, time.Duration(ms)*time.Millisecond)
	}
	add("command", command)
	return nil
}

// onDisk is how much of the disk what is below dir takes, as du says it.
func onDisk(dir string) string {
	out, err := exec.Command("du", "-sh", dir).Output()
	if err != nil {
		return "?"
	}
	return strings.Fields(string(out))[0]
}

// What forks of a running VM are to cost.
const (
	forks       = 10
	forksGoal   = 3 * time.Second
	privateGoal = 40 // MiB for each
)

// fork measures how long it takes until ten copies of a running VM have all run a
// command, and the memory that each has to itself.
func (b bench) fork(ctx context.Context) (err error) {
	run := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, b.banger, append([]string{"-q"}, args...)...)
	}
	names := []string{warmVM}
	defer func() {
		for _, name := range names {
			err = errors.Join(err, run("vm", "rm", "--force", name).Run())
		}
	}()
	if out, err := run("vm", "run", "--image", "debian", "--kernel", b.kernel, "--name", warmVM, "--wait-init", "--", "true").CombinedOutput(); err != nil {
		names = nil
		return fmt.Errorf("%w: %s", err, out)
	}
	took, err := timed(run("vm", "fork", warmVM, warmVM, "-n", fmt.Sprint(forks), "--", "true"))
	if err != nil {
		return err
	}
	var guests, own []int
	for i := range forks {
		name := fmt.Sprintf("%s-%d", warmVM, i)
		names = append(names, name)
		guest, rest, err := b.privateMemory(run("vm", "show", "--json", name))
		if err != nil {
			return err
		}
		guests, own = append(guests, guest), append(own, rest)
	}
	fmt.Printf("%d forks of a running VM, until all have run a command: %.1f s (goal %v)\n", forks, took.Seconds(), forksGoal)
	fmt.Printf("of each guest's memory private to it: %v MiB (goal %d); its VMM's own: %v MiB\n", guests, privateGoal, own)
	return nil
}

// privateMemory is what a VM's VMM shares with nobody, in MiB: of the guest's memory,
// which it has from a file, and of all else.
func (b bench) privateMemory(show *exec.Cmd) (guest, rest int, err error) {
	shown, err := show.Output()
	if err != nil {
		return 0, 0, err
	}
	var v vm.VM
	if err := json.Unmarshal(shown, &v); err != nil {
		return 0, 0, err
	}
	text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(v.State.VMMPID), "smaps"))
	if err != nil {
		return 0, 0, err
	}
	guest, rest = privateOf(string(text), statedir.Memory)
	return guest, rest, nil
}

// privateOf adds up what smaps(5) says is private of mappings of files of a name, and
// of all others, in MiB.
func privateOf(smaps, name string) (those, others int) {
	of := &others
	for line := range strings.Lines(smaps) {
		if first, _, _ := strings.Cut(line, " "); !strings.HasSuffix(first, ":") { // a mapping begins
			of = &others
			if strings.HasSuffix(strings.TrimSuffix(strings.TrimSpace(line), " (deleted)"), "/"+name) {
				of = &those
			}
		}
		var kib int
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &kib); err == nil {
			*of += kib
		}
		if _, err := fmt.Sscanf(line, "Private_Clean: %d kB", &kib); err == nil {
			*of += kib
		}
	}
	return those >> 10, others >> 10
}
