package boot

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestStopSignal(t *testing.T) {
	for name, want := range map[string]unix.Signal{
		"": unix.SIGTERM, "SIGINT": unix.SIGINT, "quit": unix.SIGQUIT, "15": 15, "SIGWINCH": unix.SIGWINCH,
		"SIGRTMIN": 34, "SIGRTMIN+3": 37, "RTMIN+30": 64, "SIGRTMAX": 64, "rtmax-2": 62, "SIGRTMAX-30": 34,
	} {
		if got, err := stopSignal(name); got != want || err != nil {
			t.Errorf("%q is %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"0", "-1", "65", "SIGRTMIN+31", "SIGRTMIN-1", "SIGRTMAX-31", "SIGRTMAX+1", "SIGRTMAX--1", "SIGX", "1x"} {
		if got, err := stopSignal(name); got != unix.SIGTERM || err == nil {
			t.Errorf("%q is %v, %v", name, got, err)
		}
	}
}
