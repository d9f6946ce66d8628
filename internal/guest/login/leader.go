package login

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Argument makes the agent lead a session of the user whose number is its other
// argument.
const Argument = "login"

// Where the system's bus and the control groups are.
const (
	busSocket = "/run/dbus/system_bus_socket"
	groups    = "/sys/fs/cgroup"
)

// What a session is to logind.
const (
	service = "banger"
	class   = "user"
	kind    = "unspecified" // on no terminal, as far as logind is concerned
)

// stopTime is how long programs of a session may take to end when the guest
// shuts down, in microseconds; systemd's own is longer than a guest has.
const stopTime = 5_000_000

// Lead opens a session, says on standard output what it is, and holds it until
// standard input ends. It returns an exit status.
func Lead(uid string) int {
	if err := lead(uid); err != nil {
		fmt.Fprintln(os.Stderr, "banger-agent: log in:", err)
		return 1
	}
	return 0
}

func lead(uid string) error {
	number, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return err
	}
	bus, err := dbus.Dial("unix:path=" + busSocket)
	if err != nil {
		return err
	}
	if err := bus.Auth([]dbus.Auth{dbus.AuthExternal("0")}); err != nil {
		return err
	}
	if err := bus.Hello(); err != nil {
		return err
	}
	session, fifo, err := create(bus, uint32(number))
	if err != nil {
		return err
	}
	bus.Close()
	session.Group = ownGroup()
	if err := json.NewEncoder(os.Stdout).Encode(session); err != nil {
		return err
	}
	os.Stdout.Close()
	io.Copy(io.Discard, os.Stdin)
	fifo.Close() // and not before: the session ends with it
	return nil
}

// property is a setting of the session's scope.
type property struct {
	Name  string
	Value dbus.Variant
}

// create asks logind for a session that this process leads. That may take long while
// systemd still boots.
func create(bus *dbus.Conn, uid uint32) (s said, fifo *os.File, err error) {
	manager := bus.Object("org.freedesktop.login1", "/org/freedesktop/login1")
	var (
		object        dbus.ObjectPath
		held          dbus.UnixFD
		owner, vt     uint32
		seat          string
		existing      bool
		scopeSettings = []property{{"TimeoutStopUSec", dbus.MakeVariant(uint64(stopTime))}}
	)
	call := manager.Call("org.freedesktop.login1.Manager.CreateSession", 0,
		uid, uint32(os.Getpid()), service, kind, class, "", "", uint32(0), "", "", false, "", "", scopeSettings)
	if err := call.Store(&s.ID, &object, &s.RuntimeDir, &held, &owner, &seat, &vt, &existing); err != nil {
		return s, nil, err
	}
	return s, os.NewFile(uintptr(held), "session"), nil
}

// ownGroup is the control group that this process has been moved to, or "" where
// control groups are not of version 2.
func ownGroup() string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if group, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return group
		}
	}
	return ""
}
