package devfile

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"banger/internal/vm"
)

// containerMount is a mount as docker's --mount has it, a text or an object, see
// https://docs.docker.com/engine/storage/bind-mounts/#syntax.
type containerMount struct {
	Type     string `json:"type"`
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readonly"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *containerMount) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		type plain containerMount // without this method
		return json.Unmarshal(data, (*plain)(m))
	}
	for field := range strings.SplitSeq(text, ",") {
		key, value, has := strings.Cut(field, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "type":
			m.Type = value
		case "source", "src":
			m.Source = value
		case "target", "destination", "dst":
			m.Target = value
		case "readonly", "ro":
			m.ReadOnly = !has || value == "true" || value == "1"
		}
	}
	return nil
}

// takeContainerMount takes a directory of the host's or a volume. Others are named.
func (s *Spec) takeContainerMount(m containerMount) error {
	ro := ""
	if m.ReadOnly {
		ro = ":ro"
	}
	switch {
	case m.Type == "bind" && m.Source != "":
		if !filepath.IsAbs(m.Source) {
			m.Source = filepath.Join(s.Dir, m.Source)
		}
		if info, err := os.Stat(m.Source); err == nil && !info.IsDir() {
			s.Unsupported = append(s.Unsupported, fmt.Sprintf("the mount of %s, which is no directory", m.Source))
			return nil
		}
		made, err := vm.ParseMount(m.Source + ":" + m.Target + ro)
		if err != nil {
			return err
		}
		s.takeMount(made)
	case (m.Type == "volume" || m.Type == "") && m.Source != "":
		made, err := vm.ParseVolume(strings.ToLower(m.Source) + ":" + m.Target + ro)
		if err != nil {
			return err
		}
		s.Volumes = append(s.Volumes, made)
	default:
		s.Unsupported = append(s.Unsupported, fmt.Sprintf("the mount of type %q on %s", m.Type, m.Target))
	}
	return nil
}

// takeWorkspaceMount names a mount of the workspace which is not what is done anyway: that
// the project is where programs run.
func (s *Spec) takeWorkspaceMount(c container) {
	m := c.WorkspaceMount
	if m == nil || m.Type == "bind" && filepath.Clean(m.Source) == s.Dir && path.Clean(m.Target) == path.Clean(s.Workdir) {
		return
	}
	s.Unsupported = append(s.Unsupported, "workspaceMount")
}
