package imagemgr

import (
	"io"
	"sync"
)

// Progress hears how a pull gets on: what is being done, how many bytes of it,
// and of how many, 0 where that is not known. It is called often, and by one
// goroutine at a time. It may be nil.
type Progress func(step string, done, total int64)

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
	if m.progress == nil {
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
