package devfile

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/tailscale/hujson"
)

// meaningless are keys that ask for nothing that a machine of its own has not got,
// or are for editors.
var meaningless = []string{
	"$schema", "capAdd", "customizations", "extensions", "init", "name", "otherPortsAttributes", "overrideCommand",
	"portsAttributes", "privileged", "securityOpt", "settings", "shutdownAction", "updateRemoteUserUID", "userEnvProbe", "waitFor",
}

// readKeys are those of container.
var readKeys = []string{
	"image", "dockerFile", "context", "build", "features", "overrideFeatureInstallOrder", "forwardPorts", "appPort", "mounts", "containerEnv", "remoteEnv",
	"containerUser", "remoteUser", "workspaceFolder", "workspaceMount", "hostRequirements", "onCreateCommand", "updateContentCommand",
	"postCreateCommand", "postStartCommand", "postAttachCommand", "dockerComposeFile",
}

// unsupported lists the keys that say something which banger does not do.
func unsupported(text []byte) (keys []string) {
	var all map[string]json.RawMessage
	json.Unmarshal(text, &all) // has been read once
	for key, value := range all {
		if !slices.Contains(meaningless, key) && !slices.Contains(readKeys, key) && !bytes.Equal(value, []byte("null")) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// onlyRead has the values that nobody reads be null, so that what they name is neither
// taken from the host nor missed. Lines stay.
func onlyRead(text []byte) []byte {
	value, err := hujson.Parse(text)
	if err != nil {
		return text // who reads it says what is wrong
	}
	object, is := value.Value.(*hujson.Object)
	if !is {
		return text
	}
	text = slices.Clone(text)
	for _, m := range object.Members {
		name, is := m.Name.Value.(hujson.Literal)
		if !is || slices.Contains(readKeys, name.String()) {
			continue
		}
		at := text[m.Value.StartOffset:m.Value.EndOffset]
		blank := slices.Clone(at)
		for i := range blank {
			if blank[i] != '\n' {
				blank[i] = ' '
			}
		}
		if room := bytes.Index(blank, []byte("    ")); room >= 0 {
			copy(blank[room:], "null")
			copy(at, blank)
		}
	}
	return text
}
