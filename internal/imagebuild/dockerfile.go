package imagebuild

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/imagemgr"
	"banger/internal/process"
	"banger/internal/ref"
)

// Dockerfile is what to build of one.
type Dockerfile struct {
	Name      string
	KernelRef string   // only recorded
	File      string   // "" is the context's own
	Context   string   // a directory
	Args      []string // KEY=VALUE
	Target    string   // the stage to build; "" is the last
	Replace   bool     // an image of that name gives way
	TempDir   string   // an empty directory, for the image on its way
	Progress  imagemgr.Progress
}

// tool is a program that builds Dockerfiles. Its arguments are those of a
// build, of saving image tag to a file and of removing tag.
type tool struct {
	program string
	ready   []string // succeeds where it can build
	build   []string
	save    func(tag, file string) []string
	remove  []string
}

// tools are tried in this order.
var tools = []tool{
	{
		"docker", []string{"version"}, []string{"build"},
		func(tag, file string) []string { return []string{"save", "--output", file, tag} },
		[]string{"rmi", "--no-prune"}, // the layers below are what it caches by
	},
	{
		"podman", []string{"version"}, []string{"build"},
		func(tag, file string) []string {
			return []string{"save", "--format", "docker-archive", "--output", file, tag}
		},
		[]string{"rmi"},
	},
	{
		"buildah", []string{"version"}, []string{"bud"},
		func(tag, file string) []string { return []string{"push", tag, "docker-archive:" + file + ":" + tag} },
		[]string{"rmi"},
	},
}

// NoToolError says that the host has no program that builds Dockerfiles.
type NoToolError struct {
	Docker error // why docker, which is there, cannot, or nil
}

func (e *NoToolError) Error() string {
	if e.Docker != nil {
		return fmt.Sprintf("no program that builds Dockerfiles works here: %v", e.Docker)
	}
	return "no program that builds Dockerfiles is installed"
}

// findTool returns the first tool that works.
func findTool(ctx context.Context) (tool, error) {
	none := &NoToolError{}
	for _, t := range tools {
		_, err := process.Output(ctx, append([]string{t.program}, t.ready...)...)
		if err == nil {
			return t, nil
		}
		if ctx.Err() != nil {
			return tool{}, ctx.Err()
		}
		if _, absent := errors.AsType[*process.NotFoundError](err); !absent && none.Docker == nil {
			none.Docker = err
		}
	}
	return tool{}, none
}

// FromDockerfile has a Dockerfile built and makes an image of the result. What
// the program keeps of its own, as layers to build faster next time, stays.
func (b *Builder) FromDockerfile(ctx context.Context, d Dockerfile) (imagemgr.Image, error) {
	if err := b.Images.CheckFree(d.Name, d.Replace); err != nil {
		return imagemgr.Image{}, err
	}
	if err := checkContext(d.Context); err != nil {
		return imagemgr.Image{}, err
	}
	t, err := findTool(ctx)
	if err != nil {
		return imagemgr.Image{}, err
	}
	file := filepath.Join(d.TempDir, "image.tar")
	defer os.Remove(file)
	if err := b.buildInto(ctx, t, d, file); err != nil {
		return imagemgr.Image{}, err
	}
	return b.Images.Pull(ctx, imagemgr.PullOptions{
		Source: ref.Source{Transport: ref.DockerArchive, Rest: file}, Recorded: "dockerfile:" + d.file(),
		Name: d.Name, KernelRef: d.KernelRef, Replace: d.Replace, Progress: d.Progress,
	})
}

func checkContext(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("the context %s is not a directory", dir)
	}
	return err
}

// file is the Dockerfile.
func (d Dockerfile) file() string {
	if d.File != "" {
		return d.File
	}
	return filepath.Join(d.Context, "Dockerfile")
}

// buildInto builds and saves what was built. The name it has meanwhile is
// taken away again in any case.
func (b *Builder) buildInto(ctx context.Context, t tool, d Dockerfile, file string) error {
	tag := "localhost/banger-build:" + strings.ToLower(rand.Text())
	args := append(append([]string{t.program}, t.build...), "--tag", tag, "--file", d.file())
	for _, arg := range d.Args {
		args = append(args, "--build-arg", arg)
	}
	if d.Target != "" {
		args = append(args, "--target", d.Target)
	}
	b.Say("building " + d.file() + " with " + t.program)
	if err := b.runTool(ctx, append(args, d.Context)); err != nil {
		return err
	}
	defer process.Run(context.WithoutCancel(ctx), process.Cmd{
		Args: append(append([]string{t.program}, t.remove...), tag), Stdout: io.Discard, Stderr: io.Discard,
	})
	b.Say("saving what was built")
	return b.runTool(ctx, append([]string{t.program}, t.save(tag, file)...))
}

// runTool runs a tool and shows what it prints.
func (b *Builder) runTool(ctx context.Context, args []string) error {
	err := process.Run(ctx, process.Cmd{Args: args, Stdout: b.Output, Stderr: b.Output})
	if failed, ok := errors.AsType[*process.Error](err); ok {
		return &ToolError{args[0] + " " + args[1], failed.Status}
	}
	return err
}

// ToolError says that a program that builds Dockerfiles failed.
type ToolError struct{ Command, Status string }

func (e *ToolError) Error() string { return e.Command + ": " + e.Status }
