package cli

import (
	"banger/internal/engine"
	"banger/internal/size"
)

// display shows an operation's events.
type display struct {
	app      *app
	progress *progress
	kept     []byte // the end of what a build's steps printed, where nothing is to be said
}

// newDisplay returns a display of one operation. Its end method has to be called.
func (a *app) newDisplay() *display { return &display{app: a, progress: a.newProgress()} }

// show is an engine.Events.
func (d *display) show(e engine.Event) {
	switch e := e.(type) {
	case engine.Progress:
		d.progress.report(e.Step, e.Done, e.Total)
		return
	case engine.Output:
		d.output(e.Data)
		return
	case engine.Ready, engine.Stopping:
		d.app.notify(e)
		return
	}
	d.progress.clear()
	switch e := e.(type) {
	case engine.Stage:
		d.progress.end()
		d.app.say("%s", e.Text)
	case engine.Notice:
		d.app.say("%s", e.Text)
	case engine.Warning:
		d.app.say("banger: %v", e.Err)
	case engine.KernelPull:
		d.app.sayPulled(e)
	}
}

// maxKept is how much of a build's output is kept.
const maxKept = 64 << 10

func (d *display) output(data []byte) {
	if !d.app.quiet {
		d.app.Err.Write(data)
		return
	}
	d.kept = append(d.kept, data...)
	if len(d.kept) > 2*maxKept {
		d.kept = append([]byte(nil), d.kept[len(d.kept)-maxKept:]...)
	}
}

// showKept prints what was kept, where that says why a step failed.
func (d *display) showKept() { d.app.Err.Write(d.kept) }

func (d *display) end() { d.progress.end() }

// sayPulled says what a pull of a kernel did.
func (a *app) sayPulled(p engine.KernelPull) {
	k, e := p.Kernel, p.Entry
	switch {
	case p.Outcome == engine.KernelUnlisted:
		a.say("kernel %s is here already, from %s; no catalog has it", p.Name, k.Source)
	case p.Outcome == engine.KernelOutdated:
		a.say("kernel %s is here in version %s, and the catalog has %s: banger kernel pull --update %s",
			p.Name, k.KernelVersion, e.KernelVersion, p.Name)
	case p.Outcome == engine.KernelPresent:
		a.say("kernel %s is here already: Linux %s", p.Name, k.KernelVersion)
	case e.Name != "":
		a.say("pulled kernel %s: Linux %s, %s in %.1f s", p.Name, k.KernelVersion, size.Size(e.SizeBytes), p.Took.Seconds())
	}
}
