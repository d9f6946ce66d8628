package boot

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The signals for real time, as the C library counts them.
const (
	firstRealTime = 34
	lastRealTime  = 64
)

// stopSignal finds the signal that an image's configuration names: SIGTERM, TERM
// or 15, SIGRTMIN+3 and SIGRTMAX-3. It is SIGTERM where there is none, and where there is
// no such.
func stopSignal(name string) (unix.Signal, error) {
	if name == "" {
		return unix.SIGTERM, nil
	}
	upper := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if signal := unix.SignalNum(upper); signal != 0 {
		return signal, nil
	}
	number, err := strconv.Atoi(name)
	if text, ok := strings.CutPrefix(upper, "SIGRTMIN"); ok {
		number, err = strconv.Atoi("0" + strings.TrimPrefix(text, "+"))
		number += firstRealTime
	}
	if text, ok := strings.CutPrefix(upper, "SIGRTMAX"); ok {
		number, err = strconv.Atoi("0" + strings.TrimPrefix(text, "-"))
		if number = lastRealTime - number; number < firstRealTime {
			number = 0
		}
	}
	if err != nil || number < 1 || number > lastRealTime {
		return unix.SIGTERM, fmt.Errorf("there is no signal %q", name)
	}
	return unix.Signal(number), nil
}
