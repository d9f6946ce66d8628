package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"banger/internal/agentapi"
)

// ErrInterrupted says that the caller's signals ended a run, and not the program.
var ErrInterrupted = errors.New("interrupted")

const (
	// answerTime is how long a guest may take to answer for a signal: somebody
	// waits at the keyboard.
	answerTime = 800 * time.Millisecond
	// insistTime is within which a second signal is for banger itself.
	insistTime = 2 * time.Second
)

// controlC is what ^C puts into the input of a terminal that is raw.
const controlC = 3

// attention passes signals on to a program while it runs, and hangs up where the
// program or its guest does not heed them.
type attention struct {
	signals <-chan string
	pressed <-chan struct{} // ^C, which the program itself hears of as input
	started <-chan *call    // has it when the guest was asked to run it
	hangUp  func()
}

// passOn passes signals on to a program once it runs, until ctx ends.
func passOn(ctx context.Context, signals <-chan string, started <-chan *call) {
	var c *call
	select {
	case c = <-started:
	case <-ctx.Done():
		return
	}
	for {
		select {
		case name := <-signals:
			c.Send(agentapi.Message{Signal: name})
		case <-ctx.Done():
			return
		}
	}
}

// pay serves until ctx ends.
func (a attention) pay(ctx context.Context) {
	var c *call
	var last time.Time
	begun := func() bool {
		select {
		case c = <-a.started:
		default:
		}
		return c != nil
	}
	for {
		select {
		case name := <-a.signals:
			if !begun() || time.Since(last) < insistTime {
				a.hangUp()
				return
			}
			last = time.Now()
			go a.await(ctx, c.ask(name), true)
		case <-a.pressed:
			if !begun() {
				a.hangUp()
				return
			}
			go a.await(ctx, c.ask(""), false)
		case <-ctx.Done():
			return
		}
	}
}

// await hangs up unless the guest answers in time, and with agree, says yes. A no most
// likely means that the program has ended, which has the rest of the time to be heard of.
func (a attention) await(ctx context.Context, answer <-chan bool, agree bool) {
	patience := time.NewTimer(answerTime)
	defer patience.Stop()
	select {
	case yes := <-answer:
		if yes || !agree {
			return
		}
	case <-ctx.Done():
		return
	case <-patience.C:
		a.hangUp()
		return
	}
	select {
	case <-ctx.Done():
	case <-patience.C:
		a.hangUp()
	}
}

// queued is how many reads of a keyboard may wait for the guest to take them.
const queued = 64

// keyboard is what is typed at a raw terminal. It sees ^C also while the guest
// takes no input.
type keyboard struct {
	typed   chan []byte
	rest    []byte
	pressed chan struct{}
}

func newKeyboard(ctx context.Context, from io.Reader) *keyboard {
	k := &keyboard{typed: make(chan []byte, queued), pressed: make(chan struct{}, 1)}
	go k.watch(ctx, from)
	return k
}

func (k *keyboard) watch(ctx context.Context, from io.Reader) {
	defer close(k.typed)
	for {
		buf := make([]byte, 4<<10)
		n, err := from.Read(buf)
		if bytes.IndexByte(buf[:n], controlC) >= 0 {
			select {
			case k.pressed <- struct{}{}:
			default:
			}
		}
		select {
		case k.typed <- buf[:n]:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.rest) == 0 {
		next, ok := <-k.typed
		if !ok {
			return 0, io.EOF
		}
		k.rest = next
	}
	n := copy(p, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}
