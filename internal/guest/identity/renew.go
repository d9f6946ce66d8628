package identity

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"banger/internal/agentapi"
)

// Renew makes the root of one VM, which users may have edited, that of another:
// its names, and its SSH server's keys.
func Renew(root string, s agentapi.Settings) []error {
	return append(renewNames(root, s), nonNil(renewServerKeys(root))...)
}

// Rehearse does what Renew does first, for the machine that this one is: what is
// needed for it is in memory then.
func Rehearse(root string, s agentapi.Settings) []error { return renewNames(root, s) }

func renewNames(root string, s agentapi.Settings) []error {
	etc := filepath.Join(root, "etc")
	before, _ := os.ReadFile(filepath.Join(etc, "machine-id"))
	return nonNil(
		replace(filepath.Join(etc, "hostname"), []byte(s.Hostname+"\n"), 0o644),
		edit(filepath.Join(etc, "hosts"), func(old string) string { return hosts(old, s.Hostname, s.Networks) }),
		renewResolver(filepath.Join(etc, "resolv.conf"), s),
		setMachineID(root, s.MachineID),
		keepJournals(root, strings.TrimSpace(string(before)), s.MachineID),
	)
}

func nonNil(errs ...error) []error {
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// renewResolver replaces what banger has written, for a VM on networks or one on
// none, and leaves a user's.
func renewResolver(path string, s agentapi.Settings) error {
	now, _ := os.ReadFile(path)
	for _, networks := range [][]string{nil, {"any"}} {
		if string(now) == resolver(agentapi.Settings{DNS: s.DNS, Networks: networks}) {
			return replace(path, []byte(resolver(s)), 0o644)
		}
	}
	return nil
}

// keepJournals has journalctl, which looks for this machine's, find the journals
// of the machine that this one was: journald, where it runs, goes on writing there.
func keepJournals(root, before, now string) error {
	if before == "" || before == now {
		return nil
	}
	for _, dir := range []string{"var/log/journal", "run/log/journal"} {
		old, err := filepath.EvalSymlinks(filepath.Join(root, dir, before))
		if err != nil {
			continue
		}
		err = os.Symlink(filepath.Base(old), filepath.Join(root, dir, now))
		if err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// renewServerKeys replaces the keys of the image's SSH server, where it has some.
// A new RSA key takes long: until it is there, the server does without.
func renewServerKeys(root string) error {
	old, _ := filepath.Glob(filepath.Join(root, "etc/ssh/ssh_host_*_key*"))
	if len(old) == 0 {
		return nil
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for _, kind := range []string{"ed25519", "ecdsa"} {
		path := filepath.Join(root, "etc/ssh/ssh_host_"+kind+"_key")
		if err := exec.Command("ssh-keygen", "-q", "-N", "", "-t", kind, "-f", path).Run(); err != nil {
			return err
		}
	}
	reloadServer(root)
	if root == "/" {
		go func() {
			if exec.Command("ssh-keygen", "-A").Run() == nil {
				reloadServer(root)
			}
		}()
	}
	return nil
}

// reloadServer makes a running sshd read its keys again.
func reloadServer(root string) {
	data, err := os.ReadFile(filepath.Join(root, "run/sshd.pid"))
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return
	}
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err == nil && strings.TrimSpace(string(name)) == "sshd" {
		syscall.Kill(pid, syscall.SIGHUP)
	}
}
