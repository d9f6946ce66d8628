package devfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"banger/internal/ref"
	"banger/internal/size"
)

// container is what is read of a devcontainer.json, see
// https://containers.dev/implementors/json_reference/.
type container struct {
	Image      string `json:"image"`
	DockerFile string `json:"dockerFile"`
	Context    string `json:"context"`
	Build      struct {
		Dockerfile string            `json:"dockerfile"`
		Context    string            `json:"context"`
		Args       map[string]string `json:"args"`
		Target     string            `json:"target"`
		Options    []string          `json:"options"`
	} `json:"build"`
	Features         map[string]json.RawMessage `json:"features"`
	First            []string                   `json:"overrideFeatureInstallOrder"`
	ForwardPorts     []portNumber               `json:"forwardPorts"`
	AppPort          oneOrMore[portNumber]      `json:"appPort"`
	Mounts           []containerMount           `json:"mounts"`
	ContainerEnv     map[string]string          `json:"containerEnv"`
	RemoteEnv        map[string]*string         `json:"remoteEnv"`
	ContainerUser    string                     `json:"containerUser"`
	RemoteUser       string                     `json:"remoteUser"`
	WorkspaceFolder  string                     `json:"workspaceFolder"`
	WorkspaceMount   *containerMount            `json:"workspaceMount"`
	HostRequirements struct {
		CPUs    int    `json:"cpus"`
		Memory  string `json:"memory"`
		Storage string `json:"storage"`
		GPU     any    `json:"gpu"`
	} `json:"hostRequirements"`
	OnCreate      command `json:"onCreateCommand"`
	UpdateContent command `json:"updateContentCommand"`
	PostCreate    command `json:"postCreateCommand"`
	PostStart     command `json:"postStartCommand"`
	PostAttach    command `json:"postAttachCommand"`
	Compose       any     `json:"dockerComposeFile"`
}

func parseDevcontainer(s *Spec, text []byte, env func(string) string) error {
	plain, err := hujson.Standardize(text)
	if err != nil {
		return err // which names line and column
	}
	s.Unsupported = unsupported(plain)
	plain = onlyRead(plain)
	values := newVariables(s.Dir, env)
	if values.workspace, err = workspaceOf(plain, values); err != nil {
		return err
	}
	if plain, err = values.replaceAll(plain); err != nil {
		return err
	}
	var c container
	if err := json.Unmarshal(plain, &c); err != nil {
		return atOffset(plain, err)
	}
	if c.Compose != nil {
		return errors.New("it describes several containers (dockerComposeFile), and banger runs one VM")
	}
	s.Unsupported, s.hostEnv = append(s.Unsupported, values.unknown...), values.taken
	s.Workspace, s.Workdir = Copy, values.workspace
	return s.takeContainer(c)
}

// workspaceOf is the guest's directory that has the project.
func workspaceOf(text []byte, values *variables) (string, error) {
	var of struct {
		Folder json.RawMessage `json:"workspaceFolder"`
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return "", atOffset(text, err)
	}
	var folder string
	replaced, err := values.replaceAll(of.Folder)
	if err == nil && json.Unmarshal(replaced, &folder) == nil && folder != "" {
		return folder, nil
	}
	return path.Join("/workspaces", filepath.Base(values.dir)), err
}

// atOffset gives an error of the JSON reader's its line.
func atOffset(text []byte, err error) error {
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		err = fmt.Errorf("%s is not of the kind %s", kind.Field, kind.Value)
	default:
		return err
	}
	offset = min(offset, int64(len(text)))
	return &Error{Line: 1 + bytes.Count(text[:offset], []byte("\n")), Err: err}
}

func (s *Spec) takeContainer(c container) (err error) {
	if err := s.takeContainerImage(c); err != nil {
		return err
	}
	if err := s.takeFeatures(c.Features); err != nil {
		return err
	}
	s.First = c.First
	for _, port := range slices.Concat(c.ForwardPorts, c.AppPort) {
		if err := s.takePort(port); err != nil {
			return err
		}
	}
	for _, m := range c.Mounts {
		if err := s.takeContainerMount(m); err != nil {
			return fmt.Errorf("mounts: %w", err)
		}
	}
	s.takeContainerEnv(c)
	if s.User = c.RemoteUser; s.User == "" {
		s.User = c.ContainerUser
	}
	s.takeWorkspaceMount(c)
	s.Setup = slices.Concat(c.OnCreate, c.UpdateContent, c.PostCreate)
	s.Start, s.Attach = c.PostStart, c.PostAttach
	return s.takeRequirements(c)
}

func (s *Spec) takeContainerImage(c container) error {
	file, context := c.Build.Dockerfile, c.Build.Context
	if file == "" {
		file, context = c.DockerFile, c.Context
	}
	if file == "" {
		s.Image = c.Image
		if s.Image != "" && !strings.Contains(s.Image, "://") {
			s.Image = "docker://" + s.Image
		}
		return s.checkContainerImage()
	}
	base := filepath.Dir(s.Path) // both are relative to the file
	dockerfile, err := s.within(filepath.Join(base, file))
	if err != nil {
		return fmt.Errorf("build.dockerfile: %w", err)
	}
	if context, err = s.within(filepath.Join(base, context)); err != nil {
		return fmt.Errorf("build.context: %w", err)
	}
	b := Build{Dockerfile: dockerfile, Context: context, Target: c.Build.Target}
	for _, name := range slices.Sorted(maps.Keys(c.Build.Args)) {
		b.Args = append(b.Args, name+"="+c.Build.Args[name])
	}
	if len(c.Build.Options) > 0 {
		s.Unsupported = append(s.Unsupported, "build.options")
	}
	return s.takeBuild(b)
}

// checkContainerImage lets a file name images of registries, and no more.
func (s *Spec) checkContainerImage() error {
	if s.Image == "" {
		return nil
	}
	source, err := ref.ParseSource(s.Image)
	if err == nil && source.Transport != ref.Registry {
		err = errors.New("it is not a registry's")
	}
	if err != nil {
		return fmt.Errorf("image %q: %w", s.Image, err)
	}
	return nil
}

// takePort opens a port of the host for one of the guest.
func (s *Spec) takePort(port portNumber) error {
	text := string(port)
	host, rest, found := strings.Cut(text, ":")
	switch _, err := netip.ParseAddr(host); {
	case !found:
	case host == "localhost":
		text = rest
	case err != nil && strings.Trim(host, "0123456789") != "":
		s.Unsupported = append(s.Unsupported, "port "+text) // another container's
		return nil
	}
	return s.openPorts(text)
}

func (s *Spec) takeContainerEnv(c container) {
	s.Env = map[string]string{}
	maps.Copy(s.Env, c.ContainerEnv)
	for name, value := range c.RemoteEnv {
		if value == nil {
			delete(s.Env, name)
			continue
		}
		s.Env[name] = *value
	}
	for name, value := range s.Env {
		if checkEnv(map[string]string{name: value}) != nil || strings.Contains(value, "${containerEnv:") {
			delete(s.Env, name)
			s.Unsupported = append(s.Unsupported, "variable "+name)
		}
	}
}

// takeRequirements has the VM be as large as the file wants its host to be.
func (s *Spec) takeRequirements(c container) error {
	h := c.HostRequirements
	if err := notNegative(h.CPUs); err != nil {
		return fmt.Errorf("hostRequirements.cpus: %w", err)
	}
	s.CPUs = h.CPUs
	if h.GPU != nil && h.GPU != false && h.GPU != "optional" {
		s.Unsupported = append(s.Unsupported, "hostRequirements.gpu")
	}
	for _, amount := range []struct {
		text string
		to   *size.Size
	}{{h.Memory, &s.Memory}, {h.Storage, &s.Disk}} {
		if amount.text == "" {
			continue
		}
		// They are written 4gb.
		if err := amount.to.Set(strings.TrimSuffix(strings.ToUpper(amount.text), "B")); err != nil {
			return fmt.Errorf("hostRequirements: %w", err)
		}
	}
	return nil
}
