package imagemgr

import (
	"io"
	"sync"
)

// Progress hears how a pull gets on: what is being done, how many bytes of it,
// and of how many, 0 where that is not known. It is called often, by one
// goroutine at a time, and not after the pull has ended. It may be nil.
type Progress func(step string, done, total int64)

// guard lets one goroutine at a time through to p, and none after end.
func (p Progress) guard() (guarded Progress, end func()) {
	if p == nil {
		return nil, func() {}
	}
	var mu sync.Mutex
	ended := false
	guarded = func(step string, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			p(step, done, total)
		}
	}
	return guarded, func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
	}
}

// meter adds up what several readers do for one step.
type meter struct {
	progress Progress
	step     string

	mu          sync.Mutex
	done, total int64
}

func newMeter(progress Progress, step string, total int64) *meter {
	return &meter{progress: progress, step: step, total: total}
}

func (m *meter) add(done int64) {
	if m.progress == nil || done == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += done
	m.progress(m.step, m.done, m.total)
}

// reader counts what is read through it.
func (m *meter) reader(r io.Reader) io.Reader { return &metered{r, m} }

type metered struct {
	io.Reader
	meter *meter
}

func (r *metered) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.meter.add(int64(n))
	return n, err
}
