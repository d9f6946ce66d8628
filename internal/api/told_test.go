package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/engine"
	"banger/internal/journal"
)

// A client that asks for events gets them, and the end among them.
func TestToldByEvents(t *testing.T) {
	_, server := newServer(t)
	status, kind, text := ask(t, server, "POST", "/v1/images", `{"reference": "tar:/nothere", "kernel_ref": "k"}`, "Accept", "text/event-stream;q=0.9, application/json;q=0.1")
	if status != 200 || kind != eventStream || !strings.HasPrefix(text, "event: problem\ndata: {") || !strings.Contains(text, `"status":404`) {
		t.Errorf("%d %s %s", status, kind, text)
	}
	if status, kind, _ := ask(t, server, "POST", "/v1/images", `{"reference": "tar:/nothere", "kernel_ref": "k"}`, "Accept", "*/*"); status != 404 || kind != problemType {
		t.Errorf("%d %s", status, kind)
	}
}

func TestTellerWritesEvents(t *testing.T) {
	w := httptest.NewRecorder()
	tell := teller{to: begin(w, eventStream)}
	for _, e := range []engine.Event{
		engine.Stage{Text: "a\n\nevent: b"}, engine.Progress{Step: "s", Done: 1, Total: 9}, engine.Progress{Step: "s", Done: 2, Total: 9}, engine.Progress{Step: "s", Done: 9, Total: 9},
		engine.Warning{Err: errors.New("w")}, engine.Output{Data: []byte("o\xff")},
	} {
		tell.hear(e)
	}
	const want = "event: stage\ndata: {\"text\":\"a\\n\\nevent: b\"}\n\n" +
		"event: progress\ndata: {\"done\":1,\"step\":\"s\",\"total\":9}\n\n" +
		"event: progress\ndata: {\"done\":9,\"step\":\"s\",\"total\":9}\n\n" +
		"event: warning\ndata: {\"text\":\"w\"}\n\n" +
		"event: output\ndata: {\"text\":\"o\ufffd\"}\n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("got %q", got)
	}
}

// What fails in the middle is not taken for whole.
func TestBrokenAnswerIsSeen(t *testing.T) {
	s, _ := newServer(t)
	o := stream(http.MethodGet, "/x", "x", "", "text/plain", func(w http.ResponseWriter, _ *http.Request, _ struct{}) error {
		fmt.Fprint(begin(w, "text/plain"), "some")
		return errors.New("no more")
	})
	o.server = s
	server := httptest.NewServer(problems(http.HandlerFunc(o.serve)))
	defer server.Close()
	answer, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err == nil || string(text) != "some" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestHeldRequestsAreBounded(t *testing.T) {
	s, server := newServer(t)
	for range maxHeld {
		if _, err := s.held.take(); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, _ := ask(t, server, "GET", "/v1/events", ""); status != 503 {
		t.Errorf("one more: %d", status)
	}
}

// Two hundred at a time are all answered.
func TestManyAtOnce(t *testing.T) {
	_, server := newServer(t)
	var all sync.WaitGroup
	names := make([]string, 200)
	for i := range names {
		all.Go(func() {
			status, _, text := ask(t, server, "POST", "/v1/volumes", fmt.Sprintf(`{"name": "v%d", "size_mib": 16}`, i))
			var v struct{ Name string }
			if err := json.Unmarshal([]byte(text), &v); err != nil || status != 201 {
				t.Errorf("%d, %v: %s", status, err, text)
			}
			names[i] = v.Name
		})
	}
	all.Wait()
	_, _, text := ask(t, server, "GET", "/v1/volumes", "")
	for _, name := range names {
		if !strings.Contains(text, fmt.Sprintf("%q", name)) {
			t.Errorf("%s is not there", name)
		}
	}
}

// A client whose connection broke goes on behind the last event that it had.
func TestEventsGoOn(t *testing.T) {
	s, server := newServer(t)
	if err := os.MkdirAll(s.engine.Dirs.State, 0o755); err != nil {
		t.Fatal(err)
	}
	j := journal.New(s.engine.Dirs.Journal())
	for _, event := range []string{journal.Created, journal.Ready, journal.Stopped} {
		if err := j.Append(journal.Entry{VM: "box", Event: event}); err != nil {
			t.Fatal(err)
		}
	}
	until := "&until=" + url.QueryEscape(time.Now().Format(time.RFC3339Nano))
	var ids []string
	_, _, text := ask(t, server, "GET", "/v1/events?since=2000-01-01T00:00:00Z"+until, "")
	for line := range strings.Lines(text) {
		if id, is := strings.CutPrefix(line, "id: "); is {
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	if len(ids) != 3 {
		t.Fatalf("got %s", text)
	}
	for i, id := range ids {
		_, _, text := ask(t, server, "GET", "/v1/events?since=2000-01-01T00:00:00Z"+until, "", "Last-Event-ID", id)
		if n := strings.Count(text, "event: "); n != 2-i {
			t.Errorf("behind %s there are %d: %s", id, n, text)
		}
	}
	if status, _, _ := ask(t, server, "GET", "/v1/events", "", "Last-Event-ID", "7"); status != 400 {
		t.Errorf("behind no event: %d", status)
	}
}

// What has no end is not begun for who wants its head.
func TestHeadOfStreams(t *testing.T) {
	s, server := newServer(t)
	for _, o := range s.operations() {
		if o.Stream == "" || o.Method != http.MethodGet {
			continue
		}
		if status, _, _ := ask(t, server, "HEAD", "/v1"+strings.ReplaceAll(o.Path, "{name}", "box"), ""); status != 405 {
			t.Errorf("%s: %d", o.Path, status)
		}
	}
	if status, _, _ := ask(t, server, "HEAD", "/v1/vms", ""); status != 200 {
		t.Errorf("of what has an end: %d", status)
	}
}

// A request that a server did not finish before its end has no answer, least of all one
// that says that all went well.
func TestEndingServerAnswersNothing(t *testing.T) {
	s, _ := newServer(t)
	ctx, end := context.WithCancel(t.Context())
	o := op(http.MethodDelete, "/x", "x", "", func(ctx context.Context, _ struct{}) (none, error) {
		end()
		<-ctx.Done()
		return none{}, ctx.Err()
	})
	o.server = s
	server := httptest.NewUnstartedServer(problems(http.HandlerFunc(o.serve)))
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := server.Client().Do(r); err == nil {
		answer.Body.Close()
		t.Errorf("it answers %s", answer.Status)
	}
}
