// Package generate writes what has another program run a VM: units of systemd and
// of podman's Quadlet, a job of Nomad's, manifests of Kubernetes.
//
// It is text of a description: it reads no file, asks for nothing and runs nothing.
// What a description holds may be a stranger's, and arrives in the other program as
// the same words, whatever that makes of %, $ and quotes.
package generate

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"banger/internal/ports"
)

// Job is a VM as another program is to run it.
type Job struct {
	Name    string   // the VM's
	Command []string // banger's arguments
	Restart Restart
	Host    Host
	Container
}

// Host is where a unit of systemd's runs banger.
type Host struct {
	Banger string   // absolute
	Env    []string // KEY=VALUE
	User   string   // whose the VM is, where the unit is the system's; "" is the user's own
	Builds bool     // the start may make an image, which takes any time
}

// Container is what banger's container is to have, where the VM is in one.
type Container struct {
	Image       string // of the container, which has banger
	KVM         string // what a Kubernetes node calls /dev/kvm, "" where guests are emulated there
	Replicas    int
	CPUs        int
	MemoryMiB   int   // the guest's
	DiskBytes   int64 // what the guest may write
	Ports       []ports.Spec
	VolumeBytes int64 // of the volumes that outlive the VM, 0 where it has none
}

// Restart says when a VM that ended is run again.
type Restart string

// The policies, as systemd calls them.
const (
	Never     Restart = "no"
	OnFailure Restart = "on-failure"
	Always    Restart = "always"
)

// Formats are what is written, by name.
var Formats = []string{"systemd", "quadlet", "nomad", "kubernetes"}

// InContainer reports whether a format runs banger in a container, maybe on another
// machine.
func InContainer(format string) bool { return format != "systemd" }

// Text writes a job in a format.
func (j Job) Text(format string) (string, error) {
	if err := j.check(); err != nil {
		return "", err
	}
	switch format {
	case "systemd":
		return j.systemd(), nil
	case "quadlet":
		return j.quadlet()
	case "nomad":
		return j.nomad()
	case "kubernetes":
		return j.kubernetes()
	}
	return "", fmt.Errorf("%q is none of %s", format, strings.Join(Formats, ", "))
}

// check refuses what no format has a way to say.
func (j Job) check() error {
	if !slices.Contains([]Restart{Never, OnFailure, Always}, j.Restart) {
		return fmt.Errorf("%q is no restart policy: %s, %s or %s", j.Restart, Never, OnFailure, Always)
	}
	if j.Replicas > 1 && j.VolumeBytes > 0 {
		return fmt.Errorf("%d replicas: one VM at a time writes to a volume", j.Replicas)
	}
	words := slices.Concat(j.Command, j.Host.Env, []string{j.Host.Banger, j.Host.User, j.Image, j.KVM})
	for _, word := range words {
		if !utf8.ValidString(word) || strings.ContainsRune(word, 0) {
			return fmt.Errorf("%q is no text", word)
		}
	}
	return nil
}

// What banger's container keeps, and where: see images/banger/Dockerfile.
const (
	vmsDir     = "/var/lib/banger/vms"
	volumesDir = "/var/lib/banger/volumes"
)

// Times of a VM's life, in seconds.
const (
	startTime   = 300 // until the guest is ready, which banger gives 180
	stopTime    = 90  // until it has shut down, which banger gives 80
	probeTime   = 30  // between two looks at it, and what each may take
	restartTime = 5
)

// overhead is what a VM takes beside the guest's memory, in MiB: docs/fleet.md has
// what was measured.
const overhead = 256

func (c Container) memory() int { return c.MemoryMiB + overhead }

// probe asks the guest's agent what runs in the guest, which is no session. A guest
// that hangs does not answer, and the probe takes longer than it may.
func (j Job) probe() []string { return []string{"banger", "vm", "top", j.Name} }

// inside is the port of the container that leads to the guest's.
func inside(p ports.Spec) uint16 {
	if p.HostPort == 0 {
		return p.GuestPort
	}
	return p.HostPort
}

// Inside is where banger opens a port in its container, for who is outside of it.
func Inside(p ports.Spec) string {
	return fmt.Sprintf("0.0.0.0:%d:%d/%s", inside(p), p.GuestPort, p.Protocol)
}

// label makes a name that DNS has of a VM's, which may have more.
func label(name string) string {
	text := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
	if text == "" || text[0] < 'a' {
		text = "vm-" + text
	}
	return strings.TrimRight(text[:min(len(text), maxLabel)], "-")
}

// maxLabel leaves room for what is put behind a name, of the 63 bytes that DNS has.
const maxLabel = 50
