package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// interrupts decides what becomes of the signals that this process gets: they
// end what banger does, or go to the guest's command while one runs.
type interrupts struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	force  func() // ends this process where it does not end by itself; nil leaves it be
	ended  bool   // cancel was called
	guest  chan string
}

// forceAfter is how long what banger does may take to end after a signal that comes
// after one that was to end it: somebody waits at the keyboard. What stays behind,
// the next command clears up.
const forceAfter = 800 * time.Millisecond

// waitingSignals is how many signals may wait for the guest's command. Package
// agent takes them at once and knows what to do with a guest that does not.
const waitingSignals = 3

// signalNames are SSH's names, RFC 4254 section 6.10.
var signalNames = map[os.Signal]string{
	syscall.SIGINT:  "INT",
	syscall.SIGTERM: "TERM",
	syscall.SIGHUP:  "HUP",
	syscall.SIGQUIT: "QUIT",
}

func catchInterrupts(cancel context.CancelFunc, force func()) *interrupts {
	i := &interrupts{cancel: cancel, force: force}
	caught := make(chan os.Signal, 8)
	for s := range signalNames {
		signal.Notify(caught, s)
	}
	go func() {
		for s := range caught {
			i.hear(s)
		}
	}()
	return i
}

func (i *interrupts) hear(s os.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.guest != nil {
		select {
		case i.guest <- signalNames[s]:
			return
		default:
		}
	}
	if i.ended && i.force != nil && s != syscall.SIGHUP { // of which a terminal that goes sends several
		time.AfterFunc(forceAfter, i.force)
	}
	i.ended = true
	i.cancel()
}

// wait keeps further interrupts from ending the process: it ends by itself.
func (i *interrupts) wait() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.force = nil
}

// toGuest sends signals to the returned channel until restore is called.
func (i *interrupts) toGuest() (names <-chan string, restore func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.guest = make(chan string, waitingSignals)
	return i.guest, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.guest = nil
	}
}
