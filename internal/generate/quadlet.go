package generate

import (
	"fmt"
	"strings"
)

// quadlet writes a .container file, see podman-systemd.unit(5), for podman 4.6 and
// later. /dev/kvm is the container's where the host has it.
//
// Quadlet writes the command anew for systemd. It stops at a word that is empty, and
// takes the quotes off a semicolon, which then begins another command: of the host's.
func (j Job) quadlet() (string, error) {
	for _, word := range j.Command {
		if word == "" || word == ";" {
			return "", fmt.Errorf("quadlet has no way to say the word %q of the command", word)
		}
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by banger generate quadlet.")
	line("[Unit]")
	line("Description=VM %s", specifier(printable(j.Name)))
	line("\n[Container]")
	line("Image=%s", specifier(printable(j.Image)))
	line("Exec=%s", words(j.Command))
	line("Notify=true")
	line("AddDevice=-/dev/kvm")
	line("DropCapability=all")
	line("NoNewPrivileges=true")
	for _, p := range j.Ports {
		at := p.HostIP.String()
		if p.HostIP.Is6() {
			at = "[" + at + "]"
		}
		if p.HostPort == 0 {
			line("PublishPort=%s::%d/%s", at, inside(p), p.Protocol)
		} else {
			line("PublishPort=%s:%d:%d/%s", at, p.HostPort, inside(p), p.Protocol)
		}
	}
	if j.VolumeBytes > 0 {
		line("Volume=%s-volumes:%s", label(j.Name), volumesDir)
	}
	line("HealthCmd=%s", strings.Join(j.probe(), " "))
	line("HealthInterval=%ds", probeTime)
	line("HealthTimeout=%ds", probeTime)
	line("HealthStartPeriod=%ds", startTime)
	line("PodmanArgs=--group-add=keep-groups --stop-timeout=%d --memory=%dm", stopTime, j.memory())
	line("\n[Service]")
	line("Restart=%s", j.Restart)
	line("RestartSec=%d", restartTime)
	line("SuccessExitStatus=143")
	line("TimeoutStartSec=%d", startTime)
	line("TimeoutStopSec=%d", stopTime+10)
	line("\n[Install]")
	line("WantedBy=default.target")
	return b.String(), nil
}
