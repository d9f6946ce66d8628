package initsys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"banger/internal/agentapi"
)

// masked are systemd's units that would wait for, or fail over, what this
// machine has not got.
var masked = []struct{ unit, why string }{
	{"serial-getty@ttyS0.service", "the console is a log; where udev is absent its device unit is waited for, 90 s"},
	{"serial-getty@hvc0.service", "the same for a virtio console"},
	{"systemd-networkd-wait-online.service", "the network is up before systemd and networkd has no part in it: 120 s"},
	{"NetworkManager-wait-online.service", "the same: 60 s"},
	{"ifupdown-wait-online.service", "the same: 180 s"},
	{"cloud-init-local.service", "no metadata server answers, and asking takes minutes"},
	{"cloud-init-main.service", "the same"},
	{"cloud-init-network.service", "the same"},
	{"cloud-init.service", "the same"},
	{"cloud-config.service", "the same"},
	{"cloud-final.service", "the same"},
}

// runtimeFiles are settings below /run for what an image may have.
var runtimeFiles = []struct{ path, text string }{
	// A power-off does not end Firecracker, a reboot does; by its argument the
	// supervisor knows what was meant.
	{"systemd/system/systemd-poweroff.service.d/banger.conf", powerOff},
	{"systemd/system/systemd-halt.service.d/banger.conf", powerOff},
	// Users' own systemd wants it also where the image has no pam_systemd.
	{"systemd/system/user@.service.d/banger.conf", "[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n"},
	// The card is set up already; whoever took it over would drop its address.
	{"systemd/network/00-banger.network", "[Match]\nName=eth*\n\n[Link]\nUnmanaged=yes\n"},
	{"NetworkManager/conf.d/banger.conf", "[keyfile]\nunmanaged-devices=interface-name:eth*\n"},
	// An image has no SSH host key: all its VMs would have the same.
	{"systemd/system/" + sshKeyUnit, `[Unit]
Description=SSH host key of this VM
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
ConditionFileIsExecutable=/usr/bin/ssh-keygen

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -N "" -t ed25519 -f /etc/ssh/ssh_host_ed25519_key
`},
	{"systemd/system/ssh.service.d/banger.conf", needsSSHKey},
	{"systemd/system/ssh@.service.d/banger.conf", needsSSHKey},
	{"systemd/system/sshd.service.d/banger.conf", needsSSHKey},
	{"systemd/system/sshd@.service.d/banger.conf", needsSSHKey},
}

const (
	powerOff    = "[Unit]\nSuccessAction=reboot-force\nRebootArgument=" + agentapi.PowerOff + "\n"
	sshKeyUnit  = "banger-ssh-key.service"
	needsSSHKey = "[Unit]\nWants=" + sshKeyUnit + "\nAfter=" + sshKeyUnit + "\n"
)

// Furnish tells systemd, by files in directory run, what machine it is in. To
// other inits it says nothing, but scripts may end in systemd.
func (i Init) Furnish(run string) error {
	if i.Name != "systemd" && !i.Script {
		return nil
	}
	units := filepath.Join(run, "systemd/system")
	if err := os.MkdirAll(units, 0o755); err != nil {
		return err
	}
	for _, m := range masked {
		if err := os.Symlink("/dev/null", filepath.Join(units, m.unit)); err != nil {
			return err
		}
	}
	for _, f := range runtimeFiles {
		path := filepath.Join(run, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// KeepTmp has systemd mount nothing over /tmp, where something is mounted below it
// already. Furnish comes before.
func (i Init) KeepTmp(run string) error {
	if i.Name != "systemd" && !i.Script {
		return nil
	}
	return os.Symlink("/dev/null", filepath.Join(run, "systemd/system/tmp.mount"))
}

// privateSocket is where systemd takes systemctl's calls, from the moment on
// that it handles signals too.
const privateSocket = "/run/systemd/private"

// Booted says that an init has finished booting, which it does once.
type Booted struct{ atomic.Bool }

// Wait returns when the init has finished booting, however well that went. It
// knows only of systemd when that is; others it does not wait for.
func (i Init) Wait(ctx context.Context) error {
	if i.Booted == nil {
		return i.wait(ctx)
	}
	if i.Booted.Load() {
		return nil
	}
	err := i.wait(ctx)
	if err == nil {
		i.Booted.Store(true)
	}
	return err
}

// State is what systemd says of itself, in a word, and "" for any other init.
func (i Init) State(ctx context.Context) string {
	if i.now().Name != "systemd" {
		return ""
	}
	said, _ := exec.CommandContext(ctx, "systemctl", "is-system-running").Output() // any but running has a status
	return strings.TrimSpace(string(said))
}

func (i Init) wait(ctx context.Context) error {
	if i.Name != "systemd" && i.now().Name != "systemd" {
		return nil
	}
	if err := i.waitForSystemd(ctx); err != nil {
		return err
	}
	if i.Script && i.now().Name != "systemd" {
		return nil
	}
	return awaitBooted(ctx)
}

// maxAsked is how often systemd is asked whether it has booted. It takes calls before it
// has time for them: on a busy host systemctl gives a call up after 25 s, and says so like
// a boot that has ended with failures.
const maxAsked = 20

// awaitBooted returns when systemd says that it has booted, however well that went.
func awaitBooted(ctx context.Context) error {
	for range maxAsked {
		said, err := exec.CommandContext(ctx, "systemctl", "is-system-running", "--wait").Output()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.As(err, new(*exec.ExitError)) { // any other state but running is a status
			return fmt.Errorf("wait for systemd: %w", err)
		}
		switch strings.TrimSpace(string(said)) {
		case "", "unknown", "initializing", "starting":
		default:
			return nil
		}
	}
	return nil
}

// AwaitSystemd returns when systemd takes calls, or that it is not the init.
func (i Init) AwaitSystemd(ctx context.Context) error {
	if i.Name != "systemd" && i.now().Name != "systemd" {
		return ErrNotSystemd
	}
	if err := i.waitForSystemd(ctx); err != nil {
		return err
	}
	if i.now().Name != "systemd" {
		return ErrNotSystemd
	}
	return nil
}

// ErrNotSystemd says that the init is another one.
var ErrNotSystemd = errors.New("the init is not systemd")

// scriptTime is how long a script may take to become systemd, if it ever does.
const scriptTime = 30 * time.Second

// waitForSystemd returns when systemd takes calls. A script is not waited for
// without end.
func (i Init) waitForSystemd(ctx context.Context) error {
	waiting := ctx
	if i.Script {
		var stop context.CancelFunc
		waiting, stop = context.WithTimeout(ctx, scriptTime)
		defer stop()
	}
	err := waitForFile(waiting, privateSocket)
	if err == nil || ctx.Err() == nil && waiting.Err() != nil {
		return nil
	}
	return fmt.Errorf("wait for systemd: %w", err)
}
