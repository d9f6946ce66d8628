package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"banger/internal/devfile"
	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
	"banger/internal/project"
	"banger/internal/ref"
)

// maxProjectID is how much of a directory's path a label holds, in bytes.
const maxProjectID = 200

// projectID is a project's directory as a label has it.
func projectID(dir string) string {
	if len(dir) <= maxProjectID {
		return dir
	}
	return dir[:maxProjectID-20] + "…" + digestOf(dir)
}

// projectVM is the name of a project's VM.
func projectVM(s devfile.Spec) string { return cmp.Or(s.Name, projectStem(s)+"-"+digestOf(s.Dir)[:4]) }

func projectStem(s devfile.Spec) string {
	stem := plainName(filepath.Base(s.Dir))
	return cmp.Or(stem[:min(len(stem), 40)], "project")
}

// digestOf is short, for names and labels.
func digestOf(v any) string {
	sum := sha256.New()
	json.NewEncoder(sum).Encode(v)
	return digest(sum)
}

func digest(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil))[:12] }

// madeOf is a digest of what only a new VM can follow. What else of a Dockerfile's
// context has changed does not count: it changes with each line that is written.
func madeOf(s devfile.Spec) (string, error) {
	sum := sha256.New()
	text := json.NewEncoder(sum)
	text.Encode([]any{1, s.Image, s.Build, s.Packages, s.Kernel, s.Setup, s.User, s.Workdir, s.Workspace, s.Features})
	files := []string{s.Script}
	if s.Build != nil {
		files = append(files, s.Build.Dockerfile)
	}
	for _, f := range s.Features {
		if f.Dir != "" {
			files = append(files, filepath.Join(f.Dir, "install.sh"))
		}
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		if err := addFile(sum, file); err != nil {
			return "", err
		}
	}
	return digest(sum), nil
}

// addFile adds a file's name and content.
func addFile(sum hash.Hash, path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // which may be a pipe
	if err != nil {
		return err
	}
	defer f.Close()
	if err := isRegular(f); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(sum, "%q %d %o\n", path, info.Size(), info.Mode().Perm())
	_, err = io.Copy(sum, f)
	return err
}

func isRegular(f *os.File) error {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", f.Name())
	}
	return err
}

// projectImage returns the name of the image of a project's VM, which is there
// then. One that is built is built once of the same inputs.
func (e *Engine) projectImage(ctx context.Context, o UpOptions) (string, error) {
	base, err := e.projectBase(ctx, o)
	if err != nil {
		return "", err
	}
	s := o.Spec
	if len(s.Packages) == 0 && s.Script == "" && len(s.Features) == 0 {
		return base, nil
	}
	stage, err := e.Dirs.BuildTree().Stage()
	if err != nil {
		return "", err
	}
	defer stage.Discard()
	if s.Script != "" {
		if s.Script, err = takeScript(s, stage.Path("project")); err != nil {
			return "", err
		}
	}
	build := BuildOptions{From: base, VM: e.VMDefaults(), Packages: s.Packages, Script: s.Script, Events: o.Events}
	key, err := e.buildKey(base, keyedFeatures(build, s))
	if err != nil {
		return "", err
	}
	build.Name = projectStem(s) + "-" + key
	if len(s.Features) > 0 {
		if _, err := e.images.Get(build.Name); !errors.As(err, new(*imagemgr.NotFoundError)) {
			return build.Name, err // without asking a registry for them again
		}
		if err := e.addFeatures(ctx, &build, s, stage); err != nil {
			return "", err
		}
	}
	_, err = e.BuildImage(ctx, build)
	return build.Name, err
}

// takeScript copies a project's script into a directory that is banger's own: a program in
// a guest that has the project mounted could make it a link to another file meanwhile.
func takeScript(s devfile.Spec, dir string) (string, error) {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	name, err := filepath.Rel(s.Dir, s.Script)
	if err != nil {
		return "", err
	}
	from, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe may have nobody at its other end
	if err != nil {
		return "", fmt.Errorf("script: %w", err)
	}
	defer from.Close()
	if err := isRegular(from); err != nil {
		return "", fmt.Errorf("script: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	to := filepath.Join(dir, filepath.Base(name)) // which messages have
	copied, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(copied, from)
	return to, errors.Join(err, copied.Close())
}

// buildKey is a digest of what a build is made of.
func (e *Engine) buildKey(base string, o BuildOptions) (string, error) {
	image, err := e.images.Get(base)
	if err != nil {
		return "", err
	}
	inputs, err := imagebuild.Options{Base: image, KernelRef: image.KernelRef, Packages: o.Packages, Copies: o.Copies, Script: o.Script, Env: o.Env}.Inputs()
	return digestOf(inputs), err
}

// quote makes a word of the shell's.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// projectBase returns the image that the file names, got or built where it is not
// there.
func (e *Engine) projectBase(ctx context.Context, o UpOptions) (string, error) {
	s := o.Spec
	if s.Build != nil {
		return e.projectDockerfile(ctx, o)
	}
	if s.Image == "" {
		return e.Config.Image, e.provideImage(ctx, o.Agree, o.Events)
	}
	source, err := ref.ParseSource(s.Image)
	if err != nil {
		return "", err
	}
	if source.Transport != ref.Catalog {
		return e.imageFor(ctx, s.Image, s.Kernel, o.Events)
	}
	name := source.Rest
	_, err = e.images.Get(name)
	if !errors.As(err, new(*imagemgr.NotFoundError)) {
		return name, err
	}
	o.Events.stage("getting " + s.Image)
	_, err = e.PullImage(ctx, PullImageOptions{Reference: s.Image, KernelRef: s.Kernel, Events: o.Events})
	return name, err
}

func (e *Engine) projectDockerfile(ctx context.Context, o UpOptions) (string, error) {
	b := o.Spec.Build
	sum := sha256.New()
	json.NewEncoder(sum).Encode([]any{1, b.Args, b.Target})
	if err := addFile(sum, b.Dockerfile); err != nil {
		return "", err
	}
	files, err := project.Files(ctx, b.Context)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		path := cmp.Or(f.From, filepath.Join(b.Context, f.Name))
		info, err := os.Lstat(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q %o\n", f.Name, info.Mode())
		if info.Mode().IsRegular() {
			if err := addFile(sum, path); err != nil {
				return "", err
			}
		}
	}
	name := projectStem(o.Spec) + "-" + digest(sum)
	if _, err := e.images.Get(name); !errors.As(err, new(*imagemgr.NotFoundError)) {
		return name, err
	}
	o.Events.stage("building " + b.Dockerfile)
	_, err = e.BuildDockerfile(ctx, imagebuild.Dockerfile{
		Name: name, KernelRef: o.Spec.Kernel, File: b.Dockerfile, Context: b.Context, Args: b.Args, Target: b.Target,
	}, o.Events)
	return name, err
}
