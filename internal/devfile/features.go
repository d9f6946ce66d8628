package devfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/pattern"
	"banger/internal/smallfile"
)

// Feature is a directory with an install.sh that completes the image, see
// https://containers.dev/implementors/features/.
type Feature struct {
	ID    string          // as the file writes it
	Given json.RawMessage // its options, as the file writes them
	Dir   string          // absolute; "" is a registry's that is still there

	// What Complete finds in the directory.
	Env         []string                   // KEY=VALUE, of its install.sh
	Guest       []string                   // KEY=VALUE, of all programs in the guest; may name ${PATH}
	After       []string                   // which are installed before it where they are wanted
	Needs       map[string]json.RawMessage // which it does not go without, with their options
	Unsupported []string                   // what it asks for and banger does not do
}

// takeFeatures takes those that are directories beside the file and those of
// registries; others are named.
func (s *Spec) takeFeatures(features map[string]json.RawMessage) error {
	for _, id := range slices.Sorted(maps.Keys(features)) {
		f := Feature{ID: id, Given: features[id]}
		switch {
		case strings.HasPrefix(id, "./") || strings.HasPrefix(id, "../"):
			dir, err := s.within(filepath.Join(filepath.Dir(s.Path), id))
			if err == nil {
				err = f.Complete(dir)
			}
			if err != nil {
				return fmt.Errorf("feature %q: %w", id, err)
			}
		case !ofRegistry(id):
			s.Unsupported = append(s.Unsupported, "feature "+id)
			continue
		}
		s.Features = append(s.Features, f)
	}
	return nil
}

// ofRegistry tells a registry's feature from one that is fetched by a URL, and from
// the short names of before there were registries of them.
func ofRegistry(id string) bool { return strings.Contains(id, "/") && !strings.Contains(id, "://") }

// Complete reads what a feature says of itself, which is in dir now.
func (f *Feature) Complete(dir string) error {
	var manifest struct {
		Options map[string]struct {
			Default any `json:"default"`
		} `json:"options"`
		ContainerEnv  map[string]string          `json:"containerEnv"`
		InstallsAfter []string                   `json:"installsAfter"`
		DependsOn     map[string]json.RawMessage `json:"dependsOn"`
		Entrypoint    string                     `json:"entrypoint"`
		Mounts        []json.RawMessage          `json:"mounts"`
		OnCreate      json.RawMessage            `json:"onCreateCommand"`
		PostCreate    json.RawMessage            `json:"postCreateCommand"`
		PostStart     json.RawMessage            `json:"postStartCommand"`
	}
	if !isFile(filepath.Join(dir, "install.sh")) {
		return fmt.Errorf("it has no install.sh")
	}
	if path := filepath.Join(dir, "devcontainer-feature.json"); isFile(path) {
		text, err := smallfile.Read(path, maxFeature)
		if err == nil {
			err = json.Unmarshal(text, &manifest)
		}
		if err != nil {
			return err
		}
	}
	options := map[string]any{}
	for name, option := range manifest.Options {
		options[name] = option.Default
	}
	given, err := optionsOf(f.Given)
	if err != nil {
		return err
	}
	maps.Copy(options, given)
	f.Dir, f.After, f.Needs = dir, manifest.InstallsAfter, manifest.DependsOn
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if options[name] != nil {
			f.Env = append(f.Env, optionName(name)+"="+fmt.Sprint(options[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(manifest.ContainerEnv)) {
		f.Guest = append(f.Guest, name+"="+manifest.ContainerEnv[name])
	}
	for what, is := range map[string]bool{
		"entrypoint": manifest.Entrypoint != "", "mounts": len(manifest.Mounts) > 0, "onCreateCommand": manifest.OnCreate != nil,
		"postCreateCommand": manifest.PostCreate != nil, "postStartCommand": manifest.PostStart != nil,
	} {
		if is {
			f.Unsupported = append(f.Unsupported, what)
		}
	}
	slices.Sort(f.Unsupported)
	return nil
}

// maxFeature is more than any feature says of itself, in bytes.
const maxFeature = 1 << 20

// optionsOf are the options that a file gives a feature; a text alone is the version.
func optionsOf(given json.RawMessage) (options map[string]any, err error) {
	if len(given) == 0 || json.Unmarshal(given, &options) == nil {
		return options, nil
	}
	var version string
	if err := json.Unmarshal(given, &version); err != nil {
		return nil, err
	}
	return map[string]any{"version": version}, nil
}

var (
	notInOption   = pattern.New(`[^A-Za-z0-9_]`)
	beforeLetters = pattern.New(`^[0-9_]+`)
)

// optionName is the variable of an option, as the specification makes it.
func optionName(option string) string {
	return strings.ToUpper(beforeLetters().ReplaceAllString(notInOption().ReplaceAllString(option, "_"), "_"))
}

// Bare is a feature's ID without its version, by which others name it.
func Bare(id string) string {
	id, _, _ = strings.Cut(id, "@")
	if at := strings.LastIndexByte(id, ':'); at > strings.LastIndexByte(id, '/') {
		id = id[:at]
	}
	return strings.ToLower(id)
}

// InOrder puts features into the order in which they are installed: each behind those
// that it needs or wants to be behind, and else those first that first names. Where
// they wait for each other, they come in the order of their IDs.
func InOrder(all []Feature, first []string) (ordered []Feature) {
	place := func(f Feature) int {
		at := slices.IndexFunc(first, func(id string) bool { return Bare(id) == Bare(f.ID) })
		if at < 0 {
			return len(first)
		}
		return at
	}
	waiting := slices.SortedStableFunc(slices.Values(all), func(a, b Feature) int {
		if pa, pb := place(a), place(b); pa != pb {
			return pa - pb
		}
		return strings.Compare(a.ID, b.ID)
	})
	waits := func(f Feature) bool {
		return slices.ContainsFunc(waiting, func(other Feature) bool {
			if Bare(other.ID) == Bare(f.ID) {
				return false
			}
			named := func(id string) bool { return Bare(id) == Bare(other.ID) }
			return slices.ContainsFunc(f.After, named) || slices.ContainsFunc(slices.Collect(maps.Keys(f.Needs)), named)
		})
	}
	for len(waiting) > 0 {
		at := max(0, slices.IndexFunc(waiting, func(f Feature) bool { return !waits(f) }))
		ordered = append(ordered, waiting[at])
		waiting = slices.Delete(waiting, at, at+1)
	}
	return ordered
}
