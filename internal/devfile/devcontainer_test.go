package devfile

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func devcontainer(t *testing.T, text string) Spec {
	t.Helper()
	s, err := Find(write(t, map[string]string{".devcontainer/devcontainer.json": text, ".devcontainer/Dockerfile": "", "socket": ""}), hostEnv)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// The project is where other tools have it, and what names that place gets it.
func TestWorkspace(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "/workspaces/NAME",
		`{"workspaceFolder": "/workspaces/x-${localWorkspaceFolderBasename}"}`:                                                               "/workspaces/x-NAME",
		`{"workspaceFolder": "/go/src/x", "workspaceMount": "source=${localWorkspaceFolder},target=/go/src/x,type=bind,consistency=cached"}`: "/go/src/x",
	} {
		s := devcontainer(t, text)
		if want = strings.ReplaceAll(want, "NAME", filepath.Base(s.Dir)); s.Workdir != want || len(s.Unsupported) > 0 {
			t.Errorf("%s: it is at %s, unsupported is %q", text, s.Workdir, s.Unsupported)
		}
	}
	s := devcontainer(t, `{
		"onCreateCommand": "bash -i ${containerWorkspaceFolder}/.devcontainer/create.sh",
		"containerEnv": {"DIR": "${containerWorkspaceFolder}", "BASE": "${containerWorkspaceFolderBasename}"},
		"mounts": ["source=modules,target=${containerWorkspaceFolder}/node_modules,type=volume"],
		"workspaceFolder": "/src/a b"
	}`)
	if s.Setup[0].Line != "bash -i /src/a b/.devcontainer/create.sh" || s.Env["DIR"] != "/src/a b" || s.Env["BASE"] != "a b" || s.Volumes[0].Path != "/src/a b/node_modules" {
		t.Errorf("got %+v", s)
	}
}

// What other tools do with a file and banger does not is named, and no more than that.
func TestDevcontainerNames(t *testing.T) {
	for text, want := range map[string][]string{
		`{"customizations": {"vscode": {"settings": {"a": "${workspaceFolder}/*", "b": "${env:HOME}"}}}}`:      nil,
		`{"settings": {"shell": "/bin/bash"}, "extensions": ["x"], "$schema": "y", "name": "${localEnv:ODD}"}`: nil,
		`{"runArgs": ["--volume=${env:HOME}:/home", "--init"]}`:                                                {"runArgs"},
		`{"postCreateCommand": "echo ${containerWorkspaceFolder} ${workspaceFolder}"}`:                         {"${workspaceFolder}"},
		`{"build": {"dockerfile": "Dockerfile", "target": "dev", "cacheFrom": "x", "options": ["--ssh"]}}`:     {"build.options"},
		`{"workspaceMount": "source=/srv,target=/x,type=bind", "workspaceFolder": "/x"}`:                       {"workspaceMount"},
		`{"workspaceMount": "source=${localWorkspaceFolder},target=/x,type=bind", "workspaceFolder": "/x/y"}`:  {"workspaceMount"},
		`{"workspaceMount": ""}`:                                    {"workspaceMount"},
		`{"hostRequirements": {"gpu": true}}`:                       {"hostRequirements.gpu"},
		`{"hostRequirements": {"gpu": "optional", "cpus": 2}}`:      nil,
		`{"Image": "debian", "remoteEnv": {"A": null}}`:             {"Image"},
		`{"mounts": ["source=socket,target=/var/run/x,type=bind"]}`: {"the mount of DIR/socket, which is no directory"},
	} {
		s := devcontainer(t, text)
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "DIR", s.Dir)
		}
		if diff := cmp.Diff(want, slices.Clip(s.Unsupported)); diff != "" && len(want)+len(s.Unsupported) > 0 {
			t.Errorf("%s: %s", text, diff)
		}
		if len(s.hostEnv) > 0 || s.Image != "" || len(s.Mounts) > 0 {
			t.Errorf("%s: it takes %q, %q, %v", text, s.hostEnv, s.Image, s.Mounts)
		}
	}
	if s := devcontainer(t, `{"build": {"dockerfile": "Dockerfile", "target": "dev"}}`); s.Build.Target != "dev" {
		t.Errorf("builds %+v", s.Build)
	}
	_, err := Find(write(t, map[string]string{".devcontainer.json": "{\n\"settings\": {\"a\":\n[1,\n\n2]},\n\n\"image\": 3}"}), hostEnv)
	if err == nil || !strings.Contains(err.Error(), "line 7: ") {
		t.Errorf("behind what is not read: %v", err)
	}
}

// A project may have several files, each in a directory of its own.
func TestSeveralDevcontainers(t *testing.T) {
	dir := write(t, map[string]string{".devcontainer/cpu/devcontainer.json": `{"build": {"dockerfile": "../Dockerfile"}, "name": "cpu"}`, ".devcontainer/Dockerfile": "", "below/x": ""})
	s, err := Find(filepath.Join(dir, "below"), hostEnv)
	if err != nil || s.Dir != dir || s.Build == nil || filepath.Clean(s.Build.Dockerfile) != filepath.Join(dir, ".devcontainer/Dockerfile") {
		t.Errorf("of one: %+v, %v", s, err)
	}
	writeIn(t, dir, map[string]string{".devcontainer/gpu/devcontainer.json": `{"image": "gpu"}`})
	if _, err := Find(dir, hostEnv); !errors.As(err, new(*SeveralError)) || !strings.Contains(err.Error(), "gpu/devcontainer.json") {
		t.Errorf("of two: %v", err)
	}
	s, err = Find(filepath.Join(dir, ".devcontainer/gpu"), hostEnv)
	if err != nil || s.Dir != dir || s.Image != "docker://gpu" {
		t.Errorf("of one of two: %+v, %v", s, err)
	}
	writeIn(t, dir, map[string]string{".devcontainer/devcontainer.json": `{"image": "first"}`})
	if s, err = Find(dir, hostEnv); err != nil || s.Image != "docker://first" {
		t.Errorf("of three: %+v, %v", s, err)
	}
}
