package devfile

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"banger/internal/pattern"
	"banger/internal/ref"
	"banger/internal/secret"
	"banger/internal/size"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// File is banger.toml, for its schema too.
type File struct {
	Name         string            `toml:"name" json:"name,omitempty" jsonschema:"the VM's name; made of the directory's where it is not given"`
	Image        string            `toml:"image" json:"image,omitempty" jsonschema:"an image's name, or where one is pulled from"`
	Dockerfile   string            `toml:"dockerfile" json:"dockerfile,omitempty" jsonschema:"a Dockerfile of the project's, in place of image"`
	Packages     []string          `toml:"packages" json:"packages,omitempty" jsonschema:"Debian packages that are added to the image, once"`
	Script       string            `toml:"script" json:"script,omitempty" jsonschema:"a program of the project's that runs as root to complete the image, once"`
	Kernel       string            `toml:"kernel" json:"kernel,omitempty" jsonschema:"the kernel to boot"`
	CPUs         int               `toml:"cpus" json:"cpus,omitempty" jsonschema:"number of CPUs"`
	Memory       size.Size         `toml:"memory" json:"memory,omitempty" jsonschema:"memory, such as 512M or 4G"`
	Disk         size.Size         `toml:"disk" json:"disk,omitempty" jsonschema:"size of the VM's own disk, such as 8G"`
	User         string            `toml:"user" json:"user,omitempty" jsonschema:"who commands run as in the guest"`
	Workdir      string            `toml:"workdir" json:"workdir,omitempty" jsonschema:"where commands run in the guest; where the project's files are if it is not given"`
	Workspace    string            `toml:"workspace" json:"workspace,omitempty" jsonschema:"how the project's files come into the VM: copy, mount or none"`
	Mounts       []string          `toml:"mounts" json:"mounts,omitempty" jsonschema:"directories of the host that the guest has, live: SRC[:DST][:ro], SRC from the project's"`
	Volumes      []string          `toml:"volumes" json:"volumes,omitempty" jsonschema:"volumes that the VM has: NAME:/PATH[:ro]"`
	Ports        []string          `toml:"ports" json:"ports,omitempty" jsonschema:"ports of the host that lead to the guest: [HOST_IP:][HOST_PORT:]GUEST_PORT[/udp]"`
	Env          map[string]string `toml:"env" json:"env,omitempty" jsonschema:"variables of every command"`
	Egress       string            `toml:"egress" json:"egress,omitempty" jsonschema:"what the guest reaches where no rule speaks: all, public or none"`
	Allow        []string          `toml:"allow" json:"allow,omitempty" jsonschema:"what else it reaches: NAME, *.NAME, ADDRESS or ADDRESS/BITS, each with :PORT or without"`
	Deny         []string          `toml:"deny" json:"deny,omitempty" jsonschema:"what it does not reach, in the same form"`
	Secrets      []string          `toml:"secrets" json:"secrets,omitempty" jsonschema:"what the guest uses in HTTPS and does not have: NAME@HOST[,HOST] of your environment, or NAME=@FILE@HOST[,HOST]; no value"`
	HostLoopback bool              `toml:"host_loopback" json:"host_loopback,omitempty" jsonschema:"let the guest reach the host's loopback"`
	SSHAgent     bool              `toml:"ssh_agent" json:"ssh_agent,omitempty" jsonschema:"give shells the user's SSH agent"`
	Setup        []string          `toml:"setup" json:"setup,omitempty" jsonschema:"commands that run once, when the VM has been made"`
	Start        []string          `toml:"start" json:"start,omitempty" jsonschema:"commands that run at each start of the VM"`
}

// manyParts are more parts of a key than the TOML reader, which takes time by their
// square, is to be given.
var manyParts = pattern.New(`(([A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){100}`)

func parseTOML(s *Spec, text []byte) error {
	if at := manyParts().FindIndex(text); at != nil {
		return &Error{Line: 1 + bytes.Count(text[:at[0]], []byte("\n")), Err: errors.New("a key has more than 100 parts")}
	}
	var f File
	meta, err := toml.Decode(string(text), &f)
	if err != nil {
		return placed(err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return &Error{Line: lineOf(text, unknown[0]), Err: fmt.Errorf("there is no key %q", unknown[0])}
	}
	key, err := s.take(f)
	if err != nil {
		return &Error{Line: lineOf(text, toml.Key{key}), Err: fmt.Errorf("%s: %w", key, err)}
	}
	return nil
}

// readerError is an error's text as the TOML reader writes it: some of its errors
// have their line nowhere else.
var readerError = pattern.New(`(?s)^toml: line (\d+)(?: \(last key "(.*?)"\))?: (.*)$`)

// placed is an error of the TOML reader's with its line apart.
func placed(err error) error {
	m := readerError().FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	line, _ := strconv.Atoi(m[1])
	if m[2] != "" {
		m[3] = m[2] + ": " + m[3]
	}
	return &Error{Line: line, Err: errors.New(m[3])}
}

// take checks what the file says. With an error comes the key that is wrong.
func (s *Spec) take(f File) (key string, err error) {
	s.Name, s.Image, s.Packages, s.Kernel = f.Name, f.Image, f.Packages, f.Kernel
	s.CPUs, s.Memory, s.Disk, s.User, s.Workdir, s.Workspace = f.CPUs, f.Memory, f.Disk, f.User, f.Workdir, f.Workspace
	s.Env, s.HostLoopback, s.SSHAgent = f.Env, f.HostLoopback, f.SSHAgent
	s.Policy = policy.Settings{Egress: f.Egress, Allow: f.Allow, Deny: f.Deny}
	s.Setup, s.Start = lines(f.Setup), lines(f.Start)
	for _, check := range []struct {
		key string
		err func() error
	}{
		{"name", func() error { return checkName(f.Name) }},
		{"image", func() error { return s.checkImage() }},
		{"dockerfile", func() error { return s.takeDockerfile(f) }},
		{"script", func() error { return s.takeScript(f.Script) }},
		{"cpus", func() error { return notNegative(f.CPUs) }},
		{"workspace", func() error { return s.checkWorkspace() }},
		{"mounts", func() error { return s.takeMounts(f.Mounts) }},
		{"volumes", func() error { return s.takeVolumes(f.Volumes) }},
		{"ports", func() error { return s.takePorts(f.Ports) }},
		{"env", func() error { return checkEnv(f.Env) }},
		{"secrets", func() error { return s.takeSecrets(f.Secrets) }},
		{"egress", func() error { _, err := policy.New(policy.Settings{Egress: f.Egress}); return err }},
		{"allow", func() error { _, err := policy.New(policy.Settings{Allow: f.Allow}); return err }},
		{"deny", func() error { _, err := policy.New(policy.Settings{Deny: f.Deny}); return err }},
	} {
		if err := check.err(); err != nil {
			return check.key, err
		}
	}
	return "", nil
}

func checkName(name string) error {
	if name == "" {
		return nil
	}
	return ref.CheckName("vm", name)
}

func notNegative(n int) error {
	if n < 0 {
		return fmt.Errorf("%d is less than 1", n)
	}
	return nil
}

// checkImage makes a path in the image's reference one within the project: what is
// elsewhere on the host is none of the file's business.
func (s *Spec) checkImage() error {
	if s.Image == "" {
		return nil
	}
	source, err := ref.ParseSource(s.Image)
	if err != nil {
		return err
	}
	switch source.Transport {
	case ref.Apt:
		return errors.New("apt: is for kernels")
	case ref.Tar, ref.OCI, ref.OCIArchive, ref.DockerArchive, ref.Dir:
		if source.Rest == "-" {
			return errors.New("standard input is no image of a project's")
		}
		file, err := s.within(source.Rest)
		if err != nil {
			return err
		}
		s.Image = string(source.Transport) + ":" + file
	}
	return nil
}

func (s *Spec) takeDockerfile(f File) error {
	if f.Dockerfile == "" {
		return nil
	}
	if f.Image != "" {
		return errors.New("there is an image already")
	}
	file, err := s.within(f.Dockerfile)
	if err != nil {
		return err
	}
	return s.takeBuild(Build{Dockerfile: file, Context: s.Dir})
}

func (s *Spec) takeScript(script string) (err error) {
	if script != "" {
		s.Script, err = s.within(script)
	}
	return err
}

func (s *Spec) checkWorkspace() error {
	switch s.Workspace {
	case "":
		s.Workspace = Copy
	case Copy, None:
	case Mount:
		if s.Workdir == "" {
			s.Workdir = path.Join("/srv", filepath.Base(s.Dir))
		}
		m, err := vm.ParseMount(s.Dir + ":" + s.Workdir)
		s.takeMount(m)
		return err
	default:
		return fmt.Errorf("%q is none of %s, %s and %s", s.Workspace, Copy, Mount, None)
	}
	return nil
}

// takeMounts takes directories, which are the project's where they are relative.
func (s *Spec) takeMounts(texts []string) error {
	for _, text := range texts {
		if !filepath.IsAbs(text) {
			text = s.Dir + "/" + text
		}
		m, err := vm.ParseMount(text)
		if err != nil {
			return err
		}
		s.takeMount(m)
	}
	return nil
}

func (s *Spec) takeVolumes(texts []string) error {
	for _, text := range texts {
		v, err := vm.ParseVolume(text)
		if err != nil {
			return err
		}
		s.Volumes = append(s.Volumes, v)
	}
	return nil
}

func (s *Spec) takePorts(texts []string) error {
	for _, text := range texts {
		if err := s.openPorts(text); err != nil {
			return err
		}
	}
	return nil
}

// takeSecrets takes secrets by their names: a value in a file that is shared would be
// none.
func (s *Spec) takeSecrets(texts []string) error {
	for _, text := range texts {
		g, err := secret.ParseIn(s.Dir, text)
		if err == nil && g.From == secret.FromUser {
			err = fmt.Errorf("secret %s: no value is kept here: name a file by =@FILE, or the variable alone", g.Name)
		}
		if err != nil {
			return err
		}
		// Who agrees is to see which file it is, and again where it becomes another.
		if target, err := filepath.EvalSymlinks(g.File); err == nil && g.File != "" {
			g.File = target
		}
		s.Secrets = append(s.Secrets, g)
	}
	all := make([]secret.Secret, len(s.Secrets))
	for i, g := range s.Secrets {
		all[i] = g.Secret
	}
	return secret.Check(all)
}

func checkEnv(env map[string]string) error {
	for name, value := range env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return fmt.Errorf("%q is no variable", name)
		}
	}
	return nil
}

func lines(texts []string) (commands []Command) {
	for _, text := range texts {
		if strings.TrimSpace(text) != "" {
			commands = append(commands, Command{Line: text})
		}
	}
	return commands
}

var (
	tableLine = pattern.New(`^\s*\[+\s*([^\]]*?)\s*\]+`)
	unquoted  = strings.NewReplacer(`"`, "", `'`, "", " ", "", "\t", "")
)

// lineOf returns the line that a key is on, or 0 where that cannot be told, as
// within a table that is written in one line.
func lineOf(text []byte, key toml.Key) int {
	wanted, in, number := strings.Join(key, "."), "", 0
	for line := range bytes.Lines(text) {
		number++
		name, _, assigned := strings.Cut(string(line), "=")
		if m := tableLine().FindStringSubmatch(string(line)); m != nil {
			in, name, assigned = unquoted.Replace(m[1]), "", true
		}
		at := strings.Trim(in+"."+unquoted.Replace(name), ".")
		if assigned && (at == wanted || strings.HasPrefix(at, wanted+".")) {
			return number
		}
	}
	return 0
}
