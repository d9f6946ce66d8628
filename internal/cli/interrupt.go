package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts decides what becomes of the signals that this process gets: they
// end what banger does, or go to the guest's command while one runs.
type interrupts struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	guest  chan string
}

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

func catchInterrupts(cancel context.CancelFunc) *interrupts {
	i := &interrupts{cancel: cancel}
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
	if i.guest == nil {
		i.cancel()
		return
	}
	select {
	case i.guest <- signalNames[s]:
	default:
		i.cancel()
	}
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
