package sshconfig

import (
	"errors"
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
			text, err := Entry{Host: "x", User: "root", IdentityFile: file, KnownHostsFile: file, Program: program, VM: "x"}.Text()
			if err != nil {
				t.Fatal(err)
			}
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
			if !strings.Contains(string(ran), "ran with vm ssh --proxy x") {
				t.Errorf("ssh runs no program: %s", ran)
			}
		})
	}
}

func TestInstall(t *testing.T) {
	const theirs = "Host other\n  User me"
	installed, err := Install([]byte(theirs), "/state/vms", "ssh_config")
	if err != nil {
		t.Fatal(err)
	}
	if want := mark + "Include \"/state/vms/*/ssh_config\"\n" + theirs; string(installed) != want {
		t.Errorf("got %q", installed)
	}
	again, err := Install(installed, "/state/vms", "ssh_config")
	if err != nil || string(again) != string(installed) || !Installed(again, "/state/vms", "ssh_config") {
		t.Errorf("installed twice: %q, %v", again, err)
	}
	if Installed(installed, "/elsewhere", "ssh_config") || Installed([]byte(theirs), "/state/vms", "ssh_config") {
		t.Error("takes another for the same")
	}
	for text, want := range map[string]string{
		string(installed): theirs, theirs: theirs, "a\n" + mark: "a\n", mark + "Include x": "", "a\n" + mark + "Include x\nb\n": "a\nb\n",
		mark + "# theirs\n": "# theirs\n",
	} {
		if got := string(Uninstall([]byte(text))); got != want {
			t.Errorf("of %q is left %q", text, got)
		}
	}
	for _, dir := range []string{"/a%h", "/a/${HOME}"} {
		if _, err := Install(nil, dir, "x"); err == nil {
			t.Error("took a path that OpenSSH may expand:", dir)
		}
	}
}

// What OpenSSH would take for a variable in a home is the home's.
func TestVariableInAHome(t *testing.T) {
	e := Entry{Host: "x", User: "root", IdentityFile: "/home/${x}/50%/key", KnownHostsFile: "/home/${x}/known", Home: "/home/${x}", Program: "/b", VM: "x"}
	text, err := e.Text()
	if err != nil || !strings.Contains(text, `IdentityFile "%d/50%%/key"`) || !strings.Contains(text, `UserKnownHostsFile "%d/known"`) {
		t.Errorf("%v: %s", err, text)
	}
	for _, home := range []string{"/home/${x", "/root", "", "/home/${x}/50"} {
		e.Home = home
		if _, err := e.Text(); !errors.As(err, new(*PathError)) {
			t.Errorf("home %q: %v", home, err)
		}
	}
	e.Home, e.IdentityFile = "/home/${x}", "/home/${x}/${y}/key"
	if _, err := e.Text(); !errors.As(err, new(*PathError)) {
		t.Errorf("a variable below the home: %v", err)
	}
}

// OpenSSH includes entries from directories with odd names.
func TestInstalledIsRead(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("needs ssh of openssh-client")
	}
	for _, name := range []string{"plain", "two words", "a*b", "q?", "[x]", `back\slash`, `quote"s`, "#", "$x"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(filepath.Join(dir, "box"), 0o700); err != nil {
			t.Fatal(err)
		}
		entry := Entry{Host: "box.banger", User: "somebody", IdentityFile: "/x", KnownHostsFile: "/x", Program: "/x", VM: "box"}
		text, err := entry.Text()
		if err != nil {
			t.Fatal(err)
		}
		config, err := Install([]byte("Host *\n  User nobody\n"), dir, "entry")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "config")
		for path, text := range map[string][]byte{file: config, filepath.Join(dir, "box", "entry"): []byte(text)} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for host, user := range map[string]string{"box.banger": "somebody", "other": "nobody"} {
			read, err := exec.Command("ssh", "-G", "-F", file, host).CombinedOutput()
			if !strings.Contains(string(read), "user "+user+"\n") {
				t.Errorf("%q: %v; for %s ssh reads %s", name, err, host, read)
			}
		}
	}
}
