package qemu

import "time"

// An emulated guest reads the host's time stamp counter, but has no reliable
// means to find out its frequency: its kernel would time it against an
// emulated timer chip, which fails on a busy host, and then hang. So the
// kernel is told.

// cycles reads the processor's time stamp counter.
func cycles() uint64

// tscWindow is how long the counter is watched, at least. It bounds the error
// to some 20 parts per million.
const tscWindow = 5 * time.Millisecond

// tscMeter measures the counter's frequency.
type tscMeter struct {
	time   time.Time
	cycles uint64
}

func newTSCMeter() tscMeter { return tscMeter{time.Now(), cycles()} }

// kiloHertz returns the frequency over the time since the meter was made.
func (m tscMeter) kiloHertz() int64 {
	time.Sleep(tscWindow - time.Since(m.time))
	elapsed := time.Since(m.time)
	return int64(float64(cycles()-m.cycles) / float64(elapsed) * float64(time.Second) / 1000)
}
