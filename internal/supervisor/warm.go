package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"banger/internal/process"
	"banger/internal/vm"
	"banger/internal/vmm"
)

// Warm is where guests come from that have booted already.
type Warm interface {
	// Take makes the VM, which has not been started before, a copy of one like it,
	// as vm.Store.GoOnFrom does, and reports whether there was one.
	Take(ctx context.Context, v vm.VM, info vmm.Info) (bool, error)
	// Drop takes that back: the VM is as it was, and nobody is to go on from that
	// one again.
	Drop(v vm.VM) error
	// Make has one made, in a process of its own that is in nobody's way.
	Make(v vm.VM) error
}

// warmTimeout is how long a guest that has booted may take to serve as this VM:
// longer than a boot takes where all goes well.
const warmTimeout = 30 * time.Second

// warmth is what is to become of a VM's first start.
type warmth int

const (
	never   warmth = iota // it is none, or has to be a boot
	fresh                 // it may be warm
	taken                 // it is being so
	missing               // it could have been
)

// warmthOf is that of a VM as its supervisor finds it.
func warmthOf(o Options, v vm.VM) warmth {
	if o.Warm == nil || o.NoInit || v.Cold || v.Copied || v.State.Phase != vm.Created {
		return never
	}
	return fresh
}

// takeWarm returns a guest that has booted already for the VM, or nil if there is none.
func (s *supervisor) takeWarm(info vmm.Info) *saved {
	if s.warmth != fresh {
		return nil
	}
	s.warmth = missing
	s.setCopied(true)
	found, err := s.Warm.Take(context.Background(), s.spec(), info)
	if !found && err == nil {
		s.setCopied(false)
		return nil
	}
	s.warmth = taken
	var guest *saved
	if err == nil {
		guest, err = s.takeSaved()
	}
	if err != nil {
		s.fallBack(err)
		return nil
	}
	return guest
}

// setCopied notes whether the disk is another VM's.
func (s *supervisor) setCopied(is bool) {
	s.save(func(*vm.State) { s.vm.Copied = is })
}

// fallBack makes the VM ready to boot where a guest that had booted does not go on.
// It reports whether that is so.
func (s *supervisor) fallBack(why error) bool {
	if s.warmth != taken {
		return false
	}
	s.warmth = missing
	fmt.Fprintf(s.Log, "the guest boots, since it cannot go on from one that has booted: %v\n", why)
	if err := s.Warm.Drop(s.spec()); err != nil {
		fmt.Fprintln(s.Log, err)
		return false
	}
	s.setCopied(false)
	return true
}

// errSlow says that a guest that had booted took too long to become this VM.
var errSlow = errors.New("it was not ready in time")

// givenUp reports whether the VM's end was asked for, or nobody waits for its start.
func (s *supervisor) givenUp(ctx context.Context, first bool) bool {
	if first {
		select {
		case <-s.letGo:
			return true
		default:
		}
	}
	return ctx.Err() != nil || s.reasonAsked() != ""
}

// startOf is how a boot's guest came up.
func (s *supervisor) startOf(b *boot) vm.Start {
	switch {
	case b.saved == nil:
		return vm.Cold
	case s.warmth == taken:
		return vm.Warm
	}
	return vm.Restored
}

// quietTime is for how long a guest has to do nothing before a template may be made
// beside it.
const quietTime = 5 * time.Second

// makeWhenQuiet starts the making of a template once the guest is idle, which it has to
// look for: no event tells of that.
func (s *supervisor) makeWhenQuiet(b *boot) {
	if s.warmth != missing {
		return
	}
	var work idleness
	look := time.NewTicker(quietTime)
	defer look.Stop()
	for {
		now := time.Now()
		used, err := process.CPUTime(b.machine.PID())
		if known := !work.at.IsZero(); !work.busy(now, used) && known && err == nil && now.Sub(s.use.since(now)) >= quietTime {
			s.makeWarm()
			return
		}
		select {
		case <-look.C:
		case <-b.done:
			return
		}
	}
}

// makeWarm starts the making of a template for the next VM like this one, once, if that is
// wanted.
func (s *supervisor) makeWarm() {
	s.making.Do(func() {
		v := s.spec()
		if s.warmth != missing || v.State.ReadyAt.IsZero() {
			return
		}
		if err := s.Warm.Make(v); err != nil {
			fmt.Fprintln(s.Log, err)
		}
	})
}
