// Package kvm finds out whether this host's KVM runs a guest.
//
// It tries: /dev/kvm can be there, open, and still be of no use, for instance
// where the hypervisor below offers it without the processor's help. The trial
// takes milliseconds and leaves nothing.
package kvm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Device is KVM's device file.
const Device = "/dev/kvm"

const (
	// patience is for a guest that is stuck.
	patience = time.Second
	// maxLoop is processor time for all rounds of the trial guest's loop. Hardware
	// needs some 10 µs, emulated virtualisation 1 ms; an interpreter, with which no
	// kernel boots in reasonable time, would need 50 ms.
	maxLoop = 10 * time.Millisecond
	// rounds is into how many the loop is divided, so that an interpreter is known
	// before it has been through all.
	rounds = 8
)

// Result is what a trial showed.
type Result struct {
	Works bool
	Why   string // why KVM does not work, and the remedy where there is one
}

// Probe runs a small guest that goes from real mode to 64-bit mode with paging
// and counts there, as the boot of a kernel begins.
func Probe(ctx context.Context) Result {
	return probe(ctx, Device)
}

func probe(ctx context.Context, device string) Result {
	loop, err := trial(ctx, device)
	switch {
	case err == nil && loop <= maxLoop:
		return Result{Works: true}
	case err == nil:
		return Result{Why: device + " interprets its guests' instructions, which is slower than emulation"}
	case errors.Is(err, fs.ErrNotExist):
		return Result{Why: "there is no " + device + ": virtualisation is off in the firmware's setup, " +
			"the kvm module is not loaded, or this machine is virtual itself"}
	case errors.Is(err, fs.ErrPermission):
		return Result{Why: "no permission to open " + device +
			": sudo usermod -aG kvm $USER, then log in again"}
	}
	return Result{Why: fmt.Sprintf("%s does not run a guest: %v", device, err)}
}

// trial returns the processor time that the guest's loop took, or more than maxLoop.
func trial(ctx context.Context, device string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := newMachine(device)
	if err != nil {
		return 0, err
	}
	defer m.close()
	return m.run(ctx)
}
