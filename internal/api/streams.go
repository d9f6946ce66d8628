package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"banger/internal/engine"
	"banger/internal/journal"
)

// streamOperations are those whose answers may have no end.
func (s *server) streamOperations() []operation {
	return []operation{
		stream(http.MethodGet, "/events", "events", "What happens to VMs, as server-sent events", eventStream, s.events),
		stream(http.MethodGet, "/vms/{name}/logs", "logs", "A VM's log", "text/plain", s.logs),
	}
}

// moment is a time as in RFC 3339.
type moment string

// time is the zero time where there is none.
func (m moment) time() (t time.Time, err error) {
	if m == "" {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, string(m)); err != nil {
		return t, &inputError{err}
	}
	return t, nil
}

type eventsInput struct {
	VMs   vmNames  `query:"vm" doc:"only of these"`
	Kinds []string `query:"kind" doc:"only such"`
	Since moment   `query:"since" doc:"a time as in RFC 3339, for those from then on"`
	Until moment   `query:"until" doc:"a time as in RFC 3339, to end then"`
	Last  moment   `header:"Last-Event-ID" doc:"the id of the last event that came before the connection broke, to go on behind it"`
}

func (s *server) events(w http.ResponseWriter, r *http.Request, in eventsInput) error {
	release, err := s.held.take()
	if err != nil {
		return err
	}
	defer release()
	o := engine.EventOptions{VMs: in.VMs, Kinds: in.Kinds}
	if err := o.Check(); err != nil {
		return &inputError{err}
	}
	for _, at := range []struct {
		text moment
		to   *time.Time
	}{{in.Since, &o.Since}, {in.Until, &o.Until}} {
		if *at.to, err = at.text.time(); err != nil {
			return err
		}
	}
	if last, err := in.Last.time(); err != nil {
		return err
	} else if !last.IsZero() {
		o.Since = last.Add(1) // an event's time is its id
	}
	out := begin(w, eventStream)
	s.engine.FollowVMs(r.Context(), o, func(e journal.Entry) error {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "event: %s\ndata: %s\nid: %s\n\n", e.Event, text, e.Time.Format(time.RFC3339Nano))
		return err
	})
	return nil // the client hears that it has ended
}

// boot is which of a VM's boots is meant.
type boot int

const maxBoots = 100

// lineCount is how many of a log's lines are meant.
type lineCount int

const maxLines = 1_000_000_000

// logSource is an engine.LogSource.
type logSource string

type logsInput struct {
	Name   string     `path:"name"`
	Source logSource  `query:"source" doc:"console, supervisor or network; the VM's own program's, or else the console's, where it is not given"`
	Follow bool       `query:"follow" doc:"go on until the VM is down"`
	Boot   boot       `query:"boot" doc:"0 is the latest, -1 the one before"`
	Since  moment     `query:"since" doc:"a time as in RFC 3339, to leave out what was written before"`
	Tail   *lineCount `query:"tail" doc:"begin with so many of the last lines; with all where it is not given"`
}

func (s *server) logs(w http.ResponseWriter, r *http.Request, in logsInput) error {
	release, err := s.held.take()
	if err != nil {
		return err
	}
	defer release()
	since, err := in.Since.time()
	if err != nil {
		return err
	}
	source := engine.LogSource(in.Source)
	switch source {
	case engine.OwnLog, engine.ConsoleLog, engine.SupervisorLog, engine.NetworkLog:
	default:
		return inputErrorf("there is no log %q", in.Source)
	}
	if _, err := s.engine.VM(in.Name); err != nil {
		return err
	}
	if in.Boot > 0 || in.Boot < -maxBoots {
		return inputErrorf("boot is 0, or less for earlier ones, and not less than -%d", maxBoots)
	}
	if (source == engine.SupervisorLog || source == engine.NetworkLog) && (in.Boot != 0 || in.Since != "") {
		return refused(fmt.Errorf("the %s's log is one for all boots, without times", source))
	}
	if in.Tail != nil && (*in.Tail < 0 || *in.Tail > maxLines) {
		return inputErrorf("tail is a number of lines, up to %d", maxLines)
	}
	out := begin(w, "text/plain; charset=utf-8")
	return s.engine.VMLog(r.Context(), in.Name, engine.LogOptions{
		Source: source, Follow: in.Follow, Boot: int(in.Boot), Since: since, Tail: (*int)(in.Tail),
	}, out)
}

// flusher sends at once what is written to it.
type flusher struct {
	w  http.ResponseWriter
	to *http.ResponseController
}

// begin begins an answer that is sent as it comes.
func begin(w http.ResponseWriter, contentType string) flusher {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	f := flusher{w, http.NewResponseController(w)}
	f.w.WriteHeader(http.StatusOK)
	f.to.Flush()
	return f
}

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.to.Flush()
	}
	return n, err
}
