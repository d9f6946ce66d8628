package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"banger/internal/engine"
	"banger/internal/kernel"
	"banger/internal/kernelcat"
)

// shownOf returns what an app prints of events, and of its end.
func shownOf(a *app, events ...engine.Event) (printed *bytes.Buffer, d *display) {
	printed = new(bytes.Buffer)
	a.raw.Err, a.Err = printed, newFilter(printed)
	d = a.newDisplay()
	for _, e := range events {
		d.show(e)
	}
	return printed, d
}

func TestEvents(t *testing.T) {
	entry := kernelcat.Entry{Name: "k", KernelVersion: "2", SizeBytes: 1 << 20}
	here := kernel.Kernel{Manifest: kernel.Manifest{Name: "k", KernelVersion: "1", Source: "file"}}
	for _, tt := range []struct {
		name  string
		event engine.Event
		want  string
	}{
		{"stage", engine.Stage{Text: "booting"}, "booting\n"},
		{"notice", engine.Notice{Text: "trying\nagain\x1b[A"}, "trying; again\\x1b[A\n"},
		{"warning", engine.Warning{Err: errors.New("lost")}, "banger: lost\n"},
		{"output", engine.Output{Data: []byte("a\x1bb\n")}, "a\\x1bb\n"},
		{"progress", engine.Progress{Step: "pulling\x07", Total: 1 << 20}, "pulling\\x07 (1M)\n"},
		{"pulled", engine.KernelPull{Name: "k", Kernel: here, Entry: entry}, "pulled kernel k: Linux 1, 1M in 0.0 s\n"},
		{"present", engine.KernelPull{Name: "k", Kernel: here, Entry: entry, Outcome: engine.KernelPresent}, "kernel k is here already: Linux 1\n"},
		{"outdated", engine.KernelPull{Name: "k", Kernel: here, Entry: entry, Outcome: engine.KernelOutdated},
			"kernel k is here in version 1, and the catalog has 2: banger kernel pull --update k\n"},
		{"unlisted", engine.KernelPull{Name: "k", Kernel: here, Outcome: engine.KernelUnlisted}, "kernel k is here already, from file; no catalog has it\n"},
		{"package", engine.KernelPull{Name: "k", Kernel: here}, ""},
	} {
		printed, _ := shownOf(&app{progress: progressPlain}, tt.event)
		if printed.String() != tt.want {
			t.Errorf("%s: got %q", tt.name, printed)
		}
		printed, _ = shownOf(&app{progress: progressPlain, quiet: true}, tt.event)
		if printed.Len() > 0 {
			t.Errorf("%s, quietly: got %q", tt.name, printed)
		}
	}
}

// A message does not end the bar that it comes in between.
func TestMessageBetweenProgress(t *testing.T) {
	printed, d := shownOf(&app{progress: progressBar},
		engine.Progress{Step: "pulling", Done: 10, Total: 100},
		engine.Notice{Text: "the server went away"},
		engine.Progress{Step: "pulling", Done: 100, Total: 100})
	d.end()
	_, after, found := strings.Cut(printed.String(), "the server went away\n")
	if !found || !strings.Contains(after, "100%") {
		t.Errorf("got %q", printed)
	}
}

// Of what a build prints quietly, the end is kept for its failure.
func TestKeptOutput(t *testing.T) {
	printed, d := shownOf(&app{quiet: true})
	line := []byte(strings.Repeat("x", 999) + "\n")
	for range 1000 {
		d.show(engine.Output{Data: line})
	}
	d.show(engine.Output{Data: []byte("the end\n")})
	if cap(d.kept) > 4*maxKept {
		t.Errorf("%d bytes are kept", cap(d.kept))
	}
	d.showKept()
	if !strings.HasSuffix(printed.String(), "x\nthe end\n") {
		t.Errorf("got %d bytes", printed.Len())
	}
}
