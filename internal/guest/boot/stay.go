package boot

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"banger/internal/guest/power"

	"golang.org/x/sys/unix"
)

// stay is PID 1 for images without an init: it reaps what others leave behind,
// and ends the machine when a signal asks for it, processes by the polite one.
// It returns where the service
// has ended, since nobody can reach the guest then.
func stay(service int, polite unix.Signal) error {
	stop := make(chan os.Signal, 1)
	// SIGTERM is the service's, and busybox's reboot; its halt and poweroff send
	// the next two, and the kernel SIGINT for Ctrl-Alt-Del.
	signal.Notify(stop, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGINT)
	ended := make(chan unix.WaitStatus, 1)
	go reap(service, ended)
	select {
	case got := <-stop:
		power.Terminate(polite, service)
		if got == unix.SIGUSR1 || got == unix.SIGUSR2 {
			power.Off()
		}
		power.Restart()
		return errors.New("the machine did not end")
	case status := <-ended:
		return fmt.Errorf("the service ended with status %#x", uint32(status))
	}
}

// reap waits for children as they end; every orphan is one. It tells when the
// service has ended.
func reap(service int, ended chan<- unix.WaitStatus) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if pid == service {
			ended <- status
		}
		if errors.Is(err, unix.ECHILD) {
			return // not before the service, which is a child
		}
	}
}
