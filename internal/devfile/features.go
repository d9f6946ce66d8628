package devfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"banger/internal/smallfile"
)

// takeFeatures takes those that are directories beside the file; others, which a
// registry has, are named. See https://containers.dev/implementors/features/.
func (s *Spec) takeFeatures(features map[string]json.RawMessage) error {
	for _, id := range slices.Sorted(maps.Keys(features)) {
		if !strings.HasPrefix(id, "./") && !strings.HasPrefix(id, "../") {
			s.Unsupported = append(s.Unsupported, "feature "+id)
			continue
		}
		dir, err := s.within(filepath.Join(filepath.Dir(s.Path), id))
		if err != nil {
			return fmt.Errorf("feature %q: %w", id, err)
		}
		if !isFile(filepath.Join(dir, "install.sh")) {
			return fmt.Errorf("feature %q has no install.sh", id)
		}
		options, err := featureOptions(dir, features[id])
		if err != nil {
			return fmt.Errorf("feature %q: %w", id, err)
		}
		s.Features = append(s.Features, Feature{Dir: dir, Env: options})
	}
	return nil
}

// featureOptions are the variables of a feature's install.sh: what the file says,
// over its own defaults.
func featureOptions(dir string, given json.RawMessage) ([]string, error) {
	var manifest struct {
		Options map[string]struct {
			Default any `json:"default"`
		} `json:"options"`
	}
	if path := filepath.Join(dir, "devcontainer-feature.json"); isFile(path) {
		text, err := smallfile.Read(path, maxFile)
		if err == nil {
			err = json.Unmarshal(text, &manifest)
		}
		if err != nil {
			return nil, err
		}
	}
	options := map[string]any{}
	for name, option := range manifest.Options {
		options[name] = option.Default
	}
	var more map[string]any
	if json.Unmarshal(given, &more) != nil {
		var version string // a text alone is the version
		if err := json.Unmarshal(given, &version); err != nil {
			return nil, err
		}
		more = map[string]any{"version": version}
	}
	maps.Copy(options, more)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if options[name] != nil {
			env = append(env, optionName(name)+"="+fmt.Sprint(options[name]))
		}
	}
	return env, nil
}

var (
	notInOption   = regexp.MustCompile(`[^A-Za-z0-9_]`)
	beforeLetters = regexp.MustCompile(`^[0-9_]+`)
)

// optionName is the variable of an option, as the specification makes it.
func optionName(option string) string {
	return strings.ToUpper(beforeLetters.ReplaceAllString(notInOption.ReplaceAllString(option, "_"), "_"))
}
