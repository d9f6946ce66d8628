package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// OpenSSH and the shell that runs its ProxyCommand read back what is written.
func TestSSHConfigQuotes(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("needs ssh of openssh-client")
	}
	for _, name := range []string{"plain", "two words", "fifty%h", "%%", "dollar$x", "`tick`", `quote"s`, "o'd", `back\slash`, "a,b=c", "#", "ü", "!x;&|"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			program, file, config := filepath.Join(dir, "prog"), filepath.Join(dir, "file"), filepath.Join(dir, "config")
			// OpenSSH reports that its ProxyCommand ended, and what that printed.
			script := "#!/bin/sh\necho \"ran with $*\" >&2\n"
			text := "Host x\n  IdentityFile " + sshPath(file) + "\n  UserKnownHostsFile " + sshPath(file) + "\n  ProxyCommand " + sshProgram(program) + " --proxy x\n"
			if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			read, err := exec.Command("ssh", "-G", "-F", config, "x").CombinedOutput()
			unexpanded := strings.ReplaceAll(file, "%", "%%")
			if !strings.Contains(string(read), "identityfile "+unexpanded+"\n") || !strings.Contains(string(read), "userknownhostsfile "+file+"\n") {
				t.Errorf("%v; ssh reads %s", err, read)
			}
			ran, _ := exec.Command("ssh", "-F", config, "x", "true").CombinedOutput()
			if !strings.Contains(string(ran), "ran with --proxy x") {
				t.Errorf("ssh runs no program: %s", ran)
			}
		})
	}
}
