package engine

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/devfile"
	"banger/internal/feature"
	"banger/internal/imagebuild"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// keyedFeatures adds to the options of a build what is known of a project's features before
// they are fetched from registries.
func keyedFeatures(build BuildOptions, s devfile.Spec) BuildOptions {
	if len(s.Features) == 0 {
		return build
	}
	build.Env = append(build.Env, "user="+s.User, fmt.Sprintf("first=%q", s.First))
	for _, f := range s.Features {
		build.Env = append(build.Env, fmt.Sprintf("feature=%s %s", f.ID, f.Given))
		if f.Dir != "" {
			build.Copies = append(build.Copies, imagebuild.Copy{Source: f.Dir, Target: featureDir + "/" + devfile.Bare(f.ID)})
		}
	}
	return build
}

// addFeatures makes a build install a project's features, and run its script after them.
func (e *Engine) addFeatures(ctx context.Context, build *BuildOptions, s devfile.Spec, stage *statedir.Stage) (err error) {
	if s.Features, err = e.provideFeatures(ctx, s, stage.Path("features"), build.Events); err != nil {
		return err
	}
	for _, f := range s.Features {
		build.Env = append(build.Env, f.Guest...)
	}
	build.Copies = featureCopies(s)
	build.Script = stage.Path("features.sh")
	return os.WriteFile(build.Script, []byte(featuresScript(s)), 0o700)
}

// maxFeatures bounds how many features need each other.
const maxFeatures = 64

// provideFeatures puts a project's features below dir, and those that they need, and
// returns them in the order in which they are installed.
func (e *Engine) provideFeatures(ctx context.Context, s devfile.Spec, dir string, events Events) (all []devfile.Feature, err error) {
	wanted := slices.Clone(s.Features)
	seen := map[string]bool{}
	for len(wanted) > 0 {
		f := wanted[0]
		wanted = wanted[1:]
		if seen[devfile.Bare(f.ID)] {
			continue
		}
		if seen[devfile.Bare(f.ID)] = true; len(seen) > maxFeatures {
			return nil, fmt.Errorf("the features need more than %d", maxFeatures)
		}
		if f, err = e.provideFeature(ctx, s.Dir, f, filepath.Join(dir, fmt.Sprint(len(all))), events); err != nil {
			return nil, fmt.Errorf("feature %q: %w", f.ID, err)
		}
		if len(f.Unsupported) > 0 {
			events.notice(fmt.Sprintf("feature %s: banger does not do what it says of %s", f.ID, strings.Join(f.Unsupported, ", ")))
		}
		for _, id := range slices.Sorted(maps.Keys(f.Needs)) {
			wanted = append(wanted, devfile.Feature{ID: id, Given: f.Needs[id]})
		}
		all = append(all, f)
	}
	return devfile.InOrder(all, s.First), nil
}

// provideFeature fetches a registry's feature, or copies the project's own: a guest that has
// the project mounted could change that meanwhile.
func (e *Engine) provideFeature(ctx context.Context, project string, f devfile.Feature, to string, events Events) (devfile.Feature, error) {
	if f.Dir != "" {
		err := copyWithin(project, f.Dir, to)
		f = devfile.Feature{ID: f.ID, Given: f.Given}
		if err == nil {
			err = f.Complete(to)
		}
		return f, err
	}
	source := ref.Source{Transport: ref.Registry, Rest: f.ID}
	events.stage("getting feature " + f.ID)
	err := feature.Get(ctx, feature.Options{Reference: f.ID, Insecure: e.insecureRegistry(source), Say: events.notice, Warn: events.warn}, to)
	if err == nil {
		err = f.Complete(to)
	}
	return f, err
}

// copyWithin copies a directory of the project's.
func copyWithin(project, dir, to string) error {
	root, err := os.OpenRoot(project)
	if err != nil {
		return err
	}
	defer root.Close()
	name, err := filepath.Rel(project, dir)
	if err != nil {
		return err
	}
	files, err := fs.Sub(root.FS(), filepath.ToSlash(name))
	if err != nil {
		return err
	}
	return os.CopyFS(to, files)
}

// Where features and the script of a project are during a build.
const featureDir = "/var/lib/banger-features"

func featureCopies(s devfile.Spec) (copies []imagebuild.Copy) {
	for i, f := range s.Features {
		copies = append(copies, imagebuild.Copy{Source: f.Dir, Target: fmt.Sprintf("%s/%d", featureDir, i)})
	}
	if s.Script != "" {
		copies = append(copies, imagebuild.Copy{Source: s.Script, Target: featureDir + "/script"})
	}
	return copies
}

// featuresScript runs features, and the project's own script after them. See
// https://containers.dev/implementors/features/ for the variables.
func featuresScript(s devfile.Spec) string {
	user := cmp.Or(s.User, guestRoot)
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\nset -e\nexport _REMOTE_USER=%s _CONTAINER_USER=%[1]s\n", quote(user))
	fmt.Fprintf(&b, "export _REMOTE_USER_HOME=$(eval echo ~%s)\nexport _CONTAINER_USER_HOME=$_REMOTE_USER_HOME\n", quote(user))
	for i, f := range s.Features {
		fmt.Fprintf(&b, "(cd %s/%d && chmod +x install.sh && env", featureDir, i)
		for _, entry := range f.Env {
			b.WriteString(" " + quote(entry))
		}
		b.WriteString(" ./install.sh)\n")
	}
	if s.Script != "" {
		fmt.Fprintf(&b, "chmod +x %s/script && %[1]s/script\n", featureDir)
	}
	fmt.Fprintf(&b, "rm -rf %s\n", featureDir)
	return b.String()
}
