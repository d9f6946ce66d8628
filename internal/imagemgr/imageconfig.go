package imagemgr

import (
	"encoding/json"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// imageConfig is what banger reads of an image's configuration. The rest, such as
// its history and its health check, may be in whatever form a tool gave it.
type imageConfig struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	RootFS       struct {
		DiffIDs []v1.Hash `json:"diff_ids"`
	} `json:"rootfs"`
	Config struct {
		User, WorkingDir, StopSignal string
		Env                          []string
		Entrypoint, Cmd              words
		Labels                       map[string]string
	} `json:"config"`
}

// readConfig reads an image's configuration and checks that it fits the
// manifest and this machine.
func readConfig(data []byte, layers int) (*imageConfig, error) {
	config := &imageConfig{}
	if err := json.Unmarshal(data, config); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	want := platform()
	switch {
	case len(config.RootFS.DiffIDs) != layers:
		return nil, fmt.Errorf("its manifest has %d layers and its configuration %d", layers, len(config.RootFS.DiffIDs))
	case config.OS != "" && !strings.EqualFold(config.OS, want.OS), config.Architecture != "" && !isArch(config.Architecture, want.Architecture):
		return nil, &otherPlatformError{config.OS + "/" + config.Architecture}
	}
	return config, nil
}

// words are a command's. Old configurations have a string in their place; docker
// takes it for one word.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) != nil {
		return json.Unmarshal(data, (*[]string)(w))
	}
	if word != "" {
		*w = words{word}
	}
	return nil
}

// honoured is what banger keeps of an image's configuration.
func (c *imageConfig) honoured() *Config {
	return &Config{
		User: c.Config.User, Env: c.Config.Env, WorkingDir: c.Config.WorkingDir,
		Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd,
		StopSignal: c.Config.StopSignal, Labels: c.Config.Labels,
	}
}
