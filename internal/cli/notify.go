package cli

import (
	"github.com/coreos/go-systemd/v22/daemon"

	"banger/internal/engine"
)

// notify tells a service manager how a VM in the foreground is, where there is one
// that wants to hear it: systemd with Type=notify, and what passes NOTIFY_SOCKET
// on as it does. See sd_notify(3).
func (a *app) notify(e engine.Event) {
	state := daemon.SdNotifyReady
	if _, stops := e.(engine.Stopping); stops {
		state = daemon.SdNotifyStopping
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.say("banger: tell the service manager: %v", err)
	}
}
