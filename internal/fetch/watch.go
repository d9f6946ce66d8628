package fetch

import (
	"context"
	"errors"
	"io"
	"time"
)

var errStalled = errors.New("the server sends nothing any more")

// watchdog ends a request whose server is silent for too long. It does not
// mind a slow reader: it watches only while something is waited for.
type watchdog struct {
	ctx     context.Context // the request's
	silence time.Duration
	timer   *time.Timer
	io.ReadCloser
}

// watch begins to wait for the answer to a request.
func watch(ctx context.Context, silence time.Duration) *watchdog {
	ctx, cancel := context.WithCancelCause(ctx)
	return &watchdog{ctx: ctx, silence: silence, timer: time.AfterFunc(silence, func() { cancel(errStalled) })}
}

// reader returns the body of the answer, watched too.
func (w *watchdog) reader(body io.ReadCloser) io.ReadCloser {
	w.timer.Stop()
	w.ReadCloser = body
	return w
}

func (w *watchdog) Read(p []byte) (int, error) {
	w.timer.Reset(w.silence)
	n, err := w.ReadCloser.Read(p)
	w.timer.Stop()
	return n, w.explain(err)
}

// explain names the silence where that is what ended the request.
func (w *watchdog) explain(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}
