package engine

import "sync"

// Event is what an operation tells while it goes on: one of the types below.
type Event interface{ event() }

type (
	// Stage is what is being done from now on.
	Stage struct{ Text string }
	// Progress is how far a step is.
	Progress struct {
		Step        string
		Done, Total int64 // bytes; Total is 0 where nothing is known, or Unknown
	}
	// Notice is something good to know that is no fault of the operation's.
	Notice struct{ Text string }
	// Warning is a failure that does not end the operation.
	Warning struct{ Err error }
	// Output is what a build's step printed.
	Output struct{ Data []byte }
)

func (Stage) event()      {}
func (Progress) event()   {}
func (Notice) event()     {}
func (Warning) event()    {}
func (Output) event()     {}
func (KernelPull) event() {} // of a kernel that came along with an image

// Unknown is the total of a step that tells how far it is, and not how far it goes.
const Unknown = -1

// Events hears an operation's events, one at a time and none after its end. nil
// hears nothing.
type Events func(Event)

func (f Events) send(e Event) {
	if f != nil {
		f(e)
	}
}

// stage, notice and progress are what the packages below report by.
func (f Events) stage(text string)                       { f.send(Stage{text}) }
func (f Events) notice(text string)                      { f.send(Notice{text}) }
func (f Events) progress(step string, done, total int64) { f.send(Progress{step, done, total}) }

// warn sends err, if it is one.
func (f Events) warn(err error) {
	if err != nil {
		f.send(Warning{err})
	}
}

// serial lets one goroutine at a time through to f.
func (f Events) serial() Events {
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		f.send(e)
	}
}

// Write sends what a build's step prints.
func (f Events) Write(p []byte) (int, error) {
	f.send(Output{p})
	return len(p), nil
}
