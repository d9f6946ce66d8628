package api

import (
	"context"
	"net/http"
	"time"

	"banger/internal/engine"
)

// interval is the time between two looks, in milliseconds.
type interval int

// Bounds of an interval.
const (
	minInterval = 100
	maxInterval = 60_000
)

func (i interval) duration() time.Duration {
	if i == 0 {
		return time.Second
	}
	return time.Duration(i) * time.Millisecond
}

func (i interval) check() error {
	if i != 0 && (i < minInterval || i > maxInterval) {
		return inputErrorf("the interval is %d to %d milliseconds", minInterval, maxInterval)
	}
	return nil
}

type statsInput struct {
	VMs      vmNames  `query:"vm" doc:"of these, which have to run; all that run where there is none"`
	Interval interval `query:"interval" doc:"milliseconds between two looks; 1000 where it is not given"`
}

// topped are a guest's processes.
type topped struct {
	Processes []engine.Process `json:"processes"`
	More      bool             `json:"more" jsonschema:"there are more than those"`
}

func (s *server) statsOperations() []operation {
	return []operation{
		op(http.MethodGet, "/stats", "stats", "What VMs take, after one interval", func(ctx context.Context, in statsInput) ([]engine.Usage, error) {
			usages := []engine.Usage{}
			if err := in.Interval.check(); err != nil {
				return nil, err
			}
			err := s.engine.WatchStats(ctx, engine.StatsOptions{VMs: in.VMs, Interval: in.Interval.duration(), Once: true}, func(now []engine.Usage) error {
				usages = append(usages, now...)
				return nil
			})
			return usages, err
		}),
		stream(http.MethodGet, "/stats/watch", "watchStats", "What VMs take, at each interval, as server-sent events", eventStream, s.watchStats),
		op(http.MethodGet, "/vms/{name}/top", "top", "The processes of a running VM's guest, after one interval", func(ctx context.Context, in struct {
			Name     string   `path:"name"`
			Interval interval `query:"interval" doc:"milliseconds between two looks; 1000 where it is not given"`
		}) (topped, error) {
			if err := in.Interval.check(); err != nil {
				return topped{}, err
			}
			processes, more, err := s.engine.TopVM(ctx, in.Name, in.Interval.duration())
			return topped{append([]engine.Process{}, processes...), more}, err
		}),
	}
}

func (s *server) watchStats(w http.ResponseWriter, r *http.Request, in statsInput) error {
	release, err := s.held.take()
	if err != nil {
		return err
	}
	defer release()
	if err := in.Interval.check(); err != nil {
		return err
	}
	for _, name := range in.VMs {
		if _, err := s.engine.VM(name); err != nil {
			return err
		}
	}
	tell := teller{to: begin(w, eventStream)}
	return s.engine.WatchStats(r.Context(), engine.StatsOptions{VMs: in.VMs, Interval: in.Interval.duration()}, func(now []engine.Usage) error {
		return tell.send("usage", append([]engine.Usage{}, now...))
	})
}
