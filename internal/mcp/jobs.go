package mcp

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Bounds on what runs in the background.
const (
	maxRunning  = 16
	maxFinished = 32 // whose end nobody has heard of yet
)

// jobs are the commands that run in the background. They end with ctx.
type jobs struct {
	ctx  context.Context
	mu   sync.Mutex
	last int
	all  []*job // in the order of their starts
}

// job is a command in the background.
type job struct {
	id     int
	output clip
	cancel context.CancelFunc
	done   chan struct{}
	status int // when done
	err    error
}

// begin runs a command in the background. It ends after timeout, if that is not 0.
func (j *jobs) begin(timeout time.Duration, run func(context.Context, *clip) (int, error)) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	running := 0
	for _, one := range j.all {
		if !one.ended() {
			running++
		}
	}
	if running >= maxRunning {
		return nil, fmt.Errorf("%d commands run in the background, and no more are allowed: kill ends one", running)
	}
	j.dropFinished(len(j.all) - running - maxFinished + 1)
	ctx, cancel := context.WithCancel(j.ctx)
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(j.ctx, timeout)
	}
	j.last++
	one := &job{id: j.last, cancel: cancel, done: make(chan struct{})}
	j.all = append(j.all, one)
	go func() {
		defer close(one.done)
		defer cancel()
		one.status, one.err = run(ctx, &one.output)
	}()
	return one, nil
}

// dropFinished forgets the first n that have ended.
func (j *jobs) dropFinished(n int) {
	var kept []*job
	for _, one := range j.all {
		if n > 0 && one.ended() {
			n--
			continue
		}
		kept = append(kept, one)
	}
	j.all = kept
}

func (j *jobs) find(id int) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range j.all {
		if one.id == id {
			return one, nil
		}
	}
	return nil, fmt.Errorf("no command in the background has the number %d", id)
}

func (o *job) ended() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// await returns when the command has ended, or ctx or the time has.
func (o *job) await(ctx context.Context, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-o.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// report is what the command wrote since the last time, and how it is.
func (o *job) report() string {
	ended := o.ended()
	text := o.output.take()
	if !ended {
		return text + fmt.Sprintf("\n[command %d still runs]", o.id)
	}
	return text + "\n" + ending(o.status, o.err)
}

// ending says how a command ended.
func ending(status int, err error) string {
	if err != nil {
		return fmt.Sprintf("[ended: %v]", err)
	}
	return fmt.Sprintf("[exit status %d]", status)
}
