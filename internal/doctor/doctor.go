// Package doctor finds out what a machine lets banger do: it tries rather than
// looks, and leaves nothing.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/jail"
	"banger/internal/process"
	"banger/internal/size"
	"banger/internal/vmm"
	"banger/internal/vmm/kvm"
)

// Host is what is examined, and with what.
type Host struct {
	Firecracker vmm.Backend
	QEMU        vmm.Backend
	Jail        []string           // the command that calls jail.Main
	State       string             // the directory of the state tree
	Hint        func(error) string // what to do about an error
}

// Result is what one check found.
type Result struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Found  string `json:"found"`            // what is there, or why it does not work
	Remedy string `json:"remedy,omitempty"` // what to do about it
}

// String is the result for people.
func (r Result) String() string {
	if r.OK {
		return "ok: " + r.Found
	}
	return "no: " + r.Found
}

// The names of the checks that decide whether a VM can run.
const (
	nameFirecracker = "firecracker"
	nameQEMU        = "qemu"
)

// Examine makes all checks.
func Examine(ctx context.Context, h Host) []Result {
	var all []Result
	for _, check := range []struct {
		name string
		run  func(context.Context) (string, error)
	}{
		{"kvm", checkKVM},
		{"jail", h.checkJail},
		{"landlock", checkLandlock},
		{nameFirecracker, probe(h.Firecracker)},
		{nameQEMU, probe(h.QEMU)},
		{"mmdebstrap", program("mmdebstrap")},
		{"apt", program("apt-get")},
		{"disk", h.checkDisk},
		{"network", checkNetwork},
	} {
		found, err := check.run(ctx)
		r := Result{Name: check.name, OK: err == nil, Found: found}
		if err != nil {
			r.Found, r.Remedy = err.Error(), h.Hint(err)
			var remedied *remedyError
			if errors.As(err, &remedied) {
				r.Remedy = remedied.remedy
			}
		}
		all = append(all, r)
	}
	return all
}

// CanRun reports whether results let a VM run.
func CanRun(results []Result) bool {
	ok := map[string]bool{}
	for _, r := range results {
		ok[r.Name] = r.OK
	}
	return ok[nameFirecracker] || ok[nameQEMU]
}

// remedyError is an error that only this package knows the remedy of.
type remedyError struct{ text, remedy string }

func (e *remedyError) Error() string { return e.text }

func checkKVM(ctx context.Context) (string, error) {
	result := kvm.Probe(ctx)
	if !result.Works {
		return "", &remedyError{result.Why, "none is needed: guests are emulated, which is slower"}
	}
	return kvm.Device + " runs guests", nil
}

func (h Host) checkJail(ctx context.Context) (string, error) {
	if err := jail.Try(ctx, h.Jail); err != nil {
		return "", err
	}
	return "user namespaces and TAP devices", nil
}

func checkLandlock(context.Context) (string, error) {
	if !jail.HasLandlock() {
		return "", &remedyError{"this kernel has no Landlock",
			"Linux 5.13 or newer, with landlock among its lsm= modules, keeps Firecracker from the files of its user"}
	}
	return "a VMM may write to its VM's files only", nil
}

// probe asks a backend; for emulation it is no fault to be without KVM.
func probe(b vmm.Backend) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		info, err := b.Probe(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %s, %s", info.Path, info.Version, info.Accel), nil
	}
}

func program(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return process.LookPath(name) }
}

// enough is how much free disk an image and a VM want, in bytes.
const enough = 2 << 30

func (h Host) checkDisk(context.Context) (string, error) {
	if err := os.MkdirAll(h.State, 0o700); err != nil {
		return "", err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(h.State, &fs); err != nil {
		return "", fmt.Errorf("look at %s: %w", h.State, err)
	}
	free := int64(fs.Bavail) * fs.Bsize
	text := fmt.Sprintf("%s free in %s", size.Size(free), h.State)
	if free < enough {
		return "", &remedyError{text, "free some space, or point XDG_STATE_HOME elsewhere"}
	}
	return text, nil
}

// checkNetwork resolves a name and connects, as guests do by the same means: to
// where this machine's packages come from.
func checkNetwork(ctx context.Context) (string, error) {
	archive, err := findArchive(ctx)
	if err != nil {
		return "", err
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", archive)
	if err != nil {
		return "", &remedyError{err.Error(), "guests reach what this machine reaches: see its network, or use images and kernels that are here"}
	}
	conn.Close()
	return "connected to " + archive, nil
}

// findArchive returns the address of the first archive on a network that apt is
// configured with.
func findArchive(ctx context.Context) (string, error) {
	sites, err := process.Output(ctx, "apt-get", "indextargets", "--format", "$(SITE)")
	if err != nil {
		return "", err
	}
	for site := range strings.Lines(string(sites)) {
		if address := addressOf(strings.TrimSpace(site)); address != "" {
			return address, nil
		}
	}
	return "", &remedyError{"apt is configured with no archive on a network", "see /etc/apt/sources.list.d"}
}

// addressOf returns a site's host and port, or "" for one that is not on a network.
func addressOf(site string) string {
	parsed, err := url.Parse(site)
	if err != nil || parsed.Hostname() == "" {
		return ""
	}
	port := cmp.Or(parsed.Port(), ports[parsed.Scheme])
	if port == "" {
		return ""
	}
	return net.JoinHostPort(parsed.Hostname(), port)
}

var ports = map[string]string{"http": "80", "https": "443"}
