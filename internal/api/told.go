package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"banger/internal/engine"
)

// eventStream is the content type of server-sent events, see
// https://html.spec.whatwg.org/multipage/server-sent-events.html.
const eventStream = "text/event-stream"

// told makes an operation of a function that tells how far it is. A client that
// accepts nothing but server-sent events hears that, and last the result or the
// problem.
func told[In, Out any](method, path, id, summary string, do func(ctx context.Context, in In, events engine.Events) (Out, error)) operation {
	o := op(method, path, id, summary, func(ctx context.Context, in In) (Out, error) { return do(ctx, in, nil) })
	o.tell = func(ctx context.Context, in any, events engine.Events) (any, error) { return do(ctx, in.(In), events) }
	return o
}

// wantsEvents reports whether a client asks for server-sent events.
func wantsEvents(r *http.Request) bool {
	for _, accepted := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accepted, ",") {
			if kind, _, err := mime.ParseMediaType(part); err == nil && kind == eventStream {
				return true
			}
		}
	}
	return false
}

// serveTold answers with events.
func (o operation) serveTold(w http.ResponseWriter, r *http.Request, in any) {
	tell := teller{to: begin(w, eventStream)}
	out, err := o.tell(r.Context(), in, tell.hear)
	switch {
	case err != nil:
		tell.send("problem", o.server.problem(err).complete())
	case o.Out == nil || reflect.TypeOf(out) == reflect.TypeFor[none]():
		tell.send("result", nil)
	default:
		tell.send("result", out)
	}
}

// teller writes server-sent events, whose data is JSON.
type teller struct {
	to   io.Writer
	last time.Time // when progress was told
}

// toldAgain is how long the next progress waits.
const toldAgain = 100 * time.Millisecond

func (t *teller) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err == nil {
		_, err = fmt.Fprintf(t.to, "event: %s\ndata: %s\n\n", event, text)
	}
	return err
}

// hear tells an event of the engine's. That nobody listens ends the operation by its
// context.
func (t *teller) hear(e engine.Event) {
	switch e := e.(type) {
	case engine.Progress:
		if time.Since(t.last) >= toldAgain || e.Done == e.Total {
			t.last = time.Now()
			t.send("progress", map[string]any{"step": e.Step, "done": e.Done, "total": e.Total})
		}
	case engine.Stage:
		t.send("stage", map[string]string{"text": e.Text})
	case engine.Notice:
		t.send("notice", map[string]string{"text": e.Text})
	case engine.Warning:
		t.send("warning", map[string]string{"text": e.Err.Error()})
	case engine.Output:
		t.send("output", map[string]string{"text": strings.ToValidUTF8(string(e.Data), "\ufffd")})
	case engine.KernelPull:
		t.send("notice", map[string]string{"text": "got kernel " + e.Name})
	}
}
