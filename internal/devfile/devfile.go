// Package devfile is what a project says of its VM: banger.toml, or where there
// is none the devcontainer.json that other tools read.
//
// What it reads may be a stranger's. A key that it does not know is an error in
// banger.toml, and in devcontainer.json is named; what a file asks for beyond the
// sandbox is listed by Asks, for the user to agree to. The package makes and runs
// nothing.
package devfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"banger/internal/ports"
	"banger/internal/secret"
	"banger/internal/size"
	"banger/internal/smallfile"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// FileName is the file's name in a project's directory.
const FileName = "banger.toml"

// maxFile is more than any such file has, in bytes: what is nested or dotted all through
// takes its readers memory or time by the square.
const maxFile = 64 << 10

// maxDockerfile is more than any Dockerfile has, in bytes.
const maxDockerfile = 1 << 20

// How a project's files come into its VM.
const (
	Copy  = "copy"  // what belongs to it is copied, as vm run PATH does
	Mount = "mount" // the directory itself is the guest's too
	None  = "none"
)

// Spec is a project's VM. What is empty is as the configuration says.
type Spec struct {
	Path string // of the file, absolute
	Dir  string // the project's directory, absolute

	Name      string
	Image     string // a name or a reference
	Build     *Build // what the image is built of, in place of Image
	Packages  []string
	Script    string // a program that completes the image, absolute
	Features  []Feature
	First     []string // features that are installed before others, by their IDs
	Kernel    string
	CPUs      int
	Memory    size.Size
	Disk      size.Size
	User      string
	Workdir   string // in the guest; "" is where the project's files are
	Workspace string // Copy, Mount or None
	Ports     []ports.Spec
	Mounts    []vm.Mount // the workspace's too
	Volumes   []vm.Volume
	Env       map[string]string
	Policy    policy.Settings
	Secrets   []secret.Given // without values
	HostLoopback,
	SSHAgent bool

	Setup  []Command // once, when the VM has been made
	Start  []Command // at each start
	Attach []Command // before each shell

	Unsupported []string // what the file says and banger does not do
	hostEnv     []string // variables of the host whose values it has taken
}

// Build is a Dockerfile.
type Build struct {
	Dockerfile string   // absolute
	Context    string   // absolute
	Args       []string // KEY=VALUE
	Target     string   // the stage to build; "" is the last
	digest     string   // of the Dockerfile, which is agreed to as it is
}

// takeBuild reads what there is to agree to.
func (s *Spec) takeBuild(b Build) error {
	text, err := smallfile.Read(b.Dockerfile, maxDockerfile)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	b.digest = hex.EncodeToString(sum[:])
	s.Build = &b
	return nil
}

// takeMount takes a directory as what it leads to, so that who agrees sees that, and is
// asked again where it becomes another.
func (s *Spec) takeMount(m vm.Mount) {
	if target, err := filepath.EvalSymlinks(m.Source); err == nil {
		m.Source = target
	}
	s.Mounts = append(s.Mounts, m)
}

// maxPorts is more than any project has, which one range may be.
const maxPorts = 1000

// openPorts takes ports that are written as the command's --publish has them.
func (s *Spec) openPorts(text string) error {
	specs, err := ports.Parse(text)
	if err == nil && len(s.Ports)+len(specs) > maxPorts {
		err = fmt.Errorf("port %q: more than %d ports", text, maxPorts)
	}
	if err == nil {
		s.Ports = append(s.Ports, specs...)
	}
	return err
}

// Command is for the user's shell where it has a Line, and a program with its
// arguments where it has an Argv.
type Command struct {
	Line string
	Argv []string
}

func (c Command) String() string {
	if c.Line != "" {
		return c.Line
	}
	return strings.Join(c.Argv, " ")
}

// Error is what is wrong with a file, and where.
type Error struct {
	Path string
	Line int // 0 is not known
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s, line %d: %v", e.Path, e.Line, e.Err)
}
func (e *Error) Unwrap() error { return e.Err }

// within makes an absolute path of one that a file names, which has to lead to
// something within the project.
func (s *Spec) within(path string) (string, error) {
	abs := path
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(s.Dir, path)
	}
	dir, err := filepath.EvalSymlinks(s.Dir)
	if err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, target); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%q is not within the project", path)
	}
	return abs, nil
}
