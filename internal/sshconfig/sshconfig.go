// Package sshconfig writes what OpenSSH reads of VMs: an entry for each, and the
// line of a user's own configuration that includes those. See ssh_config(5).
//
// It changes nothing else of what the user wrote, and runs nothing.
package sshconfig

import (
	"bytes"
	"fmt"
	"strings"
)

// Entry is how OpenSSH logs in to a VM. Paths are absolute.
type Entry struct {
	Host           string // as it is called, and stands in KnownHostsFile
	User           string
	IdentityFile   string
	KnownHostsFile string
	Program        string // banger's own
	VM             string
	Home           string // the user's, as the system knows it
}

// PathError says that OpenSSH takes a part of a path for a variable, whatever way
// it is written.
type PathError struct{ Path string }

func (e *PathError) Error() string {
	return fmt.Sprintf("OpenSSH reads no file at %q: it has a variable's sign in it", e.Path)
}

// Text is the entry as ssh_config has it. The error is a *PathError.
func (e Entry) Text() (string, error) {
	identity, err := e.quoteFile(e.IdentityFile)
	if err != nil {
		return "", err
	}
	known, err := e.quoteFile(e.KnownHostsFile)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Host %s\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n"+
		"  StrictHostKeyChecking yes\n  ProxyCommand %s vm ssh --proxy %s\n",
		e.Host, e.User, identity, known, quoteProgram(e.Program), e.VM), nil
}

// quoteFile writes a file's path where variables are expanded: ${x} in it can be
// written as nothing else, but where it is the home's, which is %d.
func (e Entry) quoteFile(path string) (string, error) {
	if !strings.Contains(path, variable) {
		return quotePath(path), nil
	}
	below, isInHome := strings.CutPrefix(path, e.Home+"/")
	if !isInHome || e.Home == "" || strings.Contains(below, variable) {
		return "", &PathError{path}
	}
	return `"%d/` + quotePath(below)[1:], nil
}

// variable begins one.
const variable = "${"

// quotePath writes a path within double quotes, where a backslash takes their
// meaning from it and from quotes, and with each % twice.
func quotePath(path string) string {
	return `"` + strings.NewReplacer("%", "%%", `\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// quoteProgram writes a program's path for ProxyCommand, which the user's shell
// runs: within single quotes, and with each % twice for ssh itself.
func quoteProgram(path string) string {
	return "'" + strings.NewReplacer("%", "%%", "'", `'\''`).Replace(path) + "'"
}

// mark begins the two lines that are banger's, and says whose they are.
const mark = "# banger: its VMs, as NAME.banger; banger ssh-config uninstall takes this out\n"

// include is the line that includes the file of that name in each directory of dir.
// The error says that OpenSSH could not be told of such a path.
func include(dir, file string) (string, error) {
	if strings.ContainsAny(dir, "%\n") || strings.Contains(dir, variable) {
		// Some versions expand these here, and others do not.
		return "", fmt.Errorf("OpenSSH includes no files from %q: the path has a %% or a ${ in it", dir)
	}
	// The words are glob(7) patterns.
	literal := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
	return "Include " + quotePath(literal+"/*/"+file) + "\n", nil
}

// Install returns a configuration that includes the entries in the file of that name
// in each directory of dir. They are before all else: what follows a Host line would
// be that host's alone.
func Install(config []byte, dir, file string) ([]byte, error) {
	line, err := include(dir, file)
	if err != nil {
		return nil, err
	}
	return append([]byte(mark+line), Uninstall(config)...), nil
}

// Uninstall returns a configuration without what Install adds.
func Uninstall(config []byte) []byte {
	at := bytes.Index(config, []byte(mark))
	if at < 0 {
		return config
	}
	after := config[at+len(mark):]
	if bytes.HasPrefix(after, []byte("Include ")) {
		_, after, _ = bytes.Cut(after, []byte("\n"))
	}
	return append(bytes.Clone(config[:at]), after...)
}

// Installed reports whether a configuration is what Install makes of it.
func Installed(config []byte, dir, file string) bool {
	wanted, err := Install(config, dir, file)
	return err == nil && bytes.Equal(wanted, config)
}
