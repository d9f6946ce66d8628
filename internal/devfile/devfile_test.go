package devfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// write makes a project of the files, whose names are relative, and returns its
// directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeIn(t, dir, files)
	return dir
}

func writeIn(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func hostEnv(name string) string {
	return map[string]string{"HOME": "/home/me", "ODD": `a"b\`, "LONG": strings.Repeat("x", 1000)}[name]
}

func TestFindUpwards(t *testing.T) {
	dir := write(t, map[string]string{
		FileName: `cpus = 3`, "a/b/x": "", ".devcontainer/devcontainer.json": `{"image": "debian:12"}`,
	})
	s, err := Find(filepath.Join(dir, "a/b"), hostEnv)
	if err != nil || s.CPUs != 3 || s.Dir != dir {
		t.Errorf("got %+v, %v", s, err)
	}
	var missing *NotFoundError
	if _, err := Find(t.TempDir(), hostEnv); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestTOML(t *testing.T) {
	dir := write(t, map[string]string{"build/setup.sh": "", FileName: `
name = "shop"
image = "debian-bookworm"
packages = ["golang", "git"]
script = "build/setup.sh"
memory = "4G"
ports = ["8080:80", "127.0.0.2:53:53/udp"]
allow = ["*.pypi.org:443"]
setup = ["make deps", " "]
[env]
A = "b c"
`})
	s, err := Find(dir, hostEnv)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "shop" || s.Memory != 4<<30 || len(s.Ports) != 2 || s.Env["A"] != "b c" || s.Workspace != Copy ||
		s.Script != filepath.Join(dir, "build/setup.sh") || !slices.Equal(s.Policy.Allow, []string{"*.pypi.org:443"}) {
		t.Errorf("got %+v", s)
	}
	if diff := cmp.Diff([]Command{{Line: "make deps"}}, s.Setup); diff != "" {
		t.Error(diff)
	}
}

func TestTOMLRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"cpus = 2\ncpu = 3":                                 `banger.toml, line 2: there is no key "cpu"`,
		"[env]\nA = \"b\"\n[network]\nallow = []":           `line 3: there is no key "network`,
		"\n\ncpus = \"two\"":                                "line 3: ",
		"memory = \"much\"":                                 "line 1: ",
		"\n\n\n= 3":                                         "line 4: ",
		"cpus = -1":                                         "line 1: cpus: ",
		"a = 1\nimage = \"x\"":                              `line 1: there is no key "a"`,
		"\nimage = \"oci:\"":                                "line 2: image: ",
		"image = \"tar:/etc/passwd\"":                       `line 1: image: "/etc/passwd" is not within the project`,
		"image = \"oci:../other\"":                          "image: ",
		"image = \"-\"":                                     "standard input",
		"image = \"apt:linux-image-amd64\"":                 "for kernels",
		"image = \"a\"\ndockerfile = \"Dockerfile\"":        "line 2: dockerfile: there is an image already",
		"dockerfile = \"out/passwd\"":                       "is not within the project",
		"dockerfile = \"Missing\"":                          "no such file",
		"script = \"/etc/passwd\"":                          "is not within the project",
		"mounts = [\"src\"]\nvolumes = [\"x\"]":             "line 2: volumes: ",
		"mounts = [\"src:/proc\"]":                          "line 1: mounts: ",
		"workspace = \"nfs\"":                               "none of copy, mount and none",
		"ports = [\"80\", \"x\"]":                           "line 1: ports: ",
		"ports = [" + strings.Repeat("\"1-250\",", 5) + "]": "more than 1000 ports",
		"image = " + strings.Repeat("[", maxFile-8):         "line 1: ",
		"egress = \"some\"":                                 "line 1: egress: ",
		"\nallow = [\"http://x\"]":                          "line 2: allow: ",
		"name = \"a/b\"":                                    "line 1: name: ",
		"[env]\n\"A=B\" = \"c\"":                            "line 1: env: ",
		"[[env]]\nA = 1":                                    "line 2: ",
		"setup = \"make\"":                                  "line 1: ",
		"\na" + strings.Repeat(".a", maxFile/2-2) + "=1":    "line 2: a key has more than 100 parts",
		"[a" + strings.Repeat(". \"b.c\"", 200) + "]":       "line 1: a key has more than 100 parts",
		"x = {a" + strings.Repeat(".'b'", 200) + " = 1}":    "line 1: a key has more than 100 parts",
		"setup = [1]":                                       "line 1: ",
		"image = \"" + strings.Repeat("x", 3000) + "\"":     "line 1: ",
	} {
		dir := write(t, map[string]string{FileName: text, "Dockerfile": ""})
		if err := os.Symlink("/etc", filepath.Join(dir, "out")); err != nil {
			t.Fatal(err)
		}
		_, err := Find(dir, hostEnv)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestDevcontainer(t *testing.T) {
	dir := write(t, map[string]string{
		".devcontainer/Dockerfile":                     "FROM debian",
		".devcontainer/tool/install.sh":                "",
		".devcontainer/tool/devcontainer-feature.json": `{"options": {"version": {"default": "1"}, "with-docs": {"default": true}}}`,
		".devcontainer/devcontainer.json": `// of a public kind
{
	"name": "shop",
	"build": {"dockerfile": "Dockerfile", "context": "..", "args": {"B": "2", "A": "1"}, "target": "dev"},
	"features": {
		"./tool": {"version": "2"},
		"ghcr.io/devcontainers/features/node:1": {"version": "20"},
		"docker-in-docker": "latest",
		"https://x.test/f.tgz": {},
	},
	"forwardPorts": [3000, "localhost:5000", "db:5432"],
	"mounts": [
		"source=${localWorkspaceFolder}/data,target=/data,type=bind,consistency=cached", {"type": "bind", "source": "/etc", "target": "/host", "readonly": true},
		"source=shop-Cache,target=/root/.cache,type=volume", "type=tmpfs,target=/tmp/x",
	],
	"runArgs": ["--network=host"],
	"privileged": true,
	"containerEnv": {"A": "${localWorkspaceFolderBasename}", "HOST": "${localEnv:HOME}", "ODD": "${localEnv:ODD}", "NONE": "${localEnv:NONE:other}"},
	"remoteEnv": {"PATH": "${containerEnv:PATH}:/x", "HOST2": null},
	"remoteUser": "node",
	"initializeCommand": "rm -rf /",
	"onCreateCommand": "one",
	"postCreateCommand": ["two", "2"],
	"postStartCommand": {"b": "four", "a": ["three"]},
	"hostRequirements": {"cpus": 4, "memory": "8gb", "storage": "32gb"},
}`})
	s, err := Find(dir, hostEnv)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"feature docker-in-docker", "feature https://x.test/f.tgz", "initializeCommand", "port db:5432", "runArgs",
		`the mount of type "tmpfs" on /tmp/x`, "variable PATH",
	}
	got := slices.Clone(s.Unsupported)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s.Build == nil || s.Build.Context != dir || !slices.Equal(s.Build.Args, []string{"A=1", "B=2"}) || s.CPUs != 4 || s.Memory != 8<<30 ||
		s.Disk != 32<<30 || s.User != "node" || len(s.Ports) != 2 || s.Ports[1].GuestPort != 5000 {
		t.Errorf("got %+v", s)
	}
	if s.Env["A"] != filepath.Base(dir) || s.Env["HOST"] != "/home/me" || s.Env["ODD"] != `a"b\` || s.Env["NONE"] != "other" {
		t.Errorf("got %q", s.Env)
	}
	if len(s.Features) != 2 || !slices.Equal(s.Features[0].Env, []string{"VERSION=2", "WITH_DOCS=true"}) || s.Features[1].Dir != "" || s.Features[1].ID != "ghcr.io/devcontainers/features/node:1" {
		t.Errorf("got %+v", s.Features)
	}
	if diff := cmp.Diff([]vm.Mount{{Source: dir + "/data", Target: "/data"}, {Source: "/etc", Target: "/host", ReadOnly: true}}, s.Mounts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]vm.Volume{{Name: "shop-cache", Path: "/root/.cache"}}, s.Volumes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Command{{Line: "one"}, {Argv: []string{"two", "2"}}}, s.Setup); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Command{{Argv: []string{"three"}}, {Line: "four"}}, s.Start); diff != "" {
		t.Error(diff)
	}
	asks := s.Asks(policy.Settings{})
	for _, want := range []string{
		"builds " + filepath.Join(dir, ".devcontainer/Dockerfile"), "variable HOME", "variable ODD", "changes what is in " + dir + "/data", "reads what is in /etc", "volume shop-cache",
	} {
		if !slices.ContainsFunc(asks, func(ask string) bool { return strings.Contains(ask, want) }) {
			t.Errorf("%q does not ask for %q", asks, want)
		}
	}
}

func TestDevcontainerRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                              "devcontainer.json",
		"{\n\"image\": 3}":               "line 2: ",
		`{"dockerComposeFile": "x.yml"}`: "several containers",
		`{"image": "tar:///etc/passwd"}`: "not a registry's",
		`{"build": {"dockerfile": "` + strings.Repeat("../", 30) + `etc/passwd"}}`:  "is not within the project",
		`{"dockerFile": "Dockerfile", "context": "../.."}`:                          "is not within the project",
		`{"features": {"../../x": {}}}`:                                             "feature",
		`{"forwardPorts": [70000]}`:                                                 "devcontainer.json",
		`{"hostRequirements": {"cpus": -2}}`:                                        "hostRequirements.cpus",
		`{"hostRequirements": {"memory": "lots"}}`:                                  "hostRequirements",
		`{"postCreateCommand": 3}`:                                                  "a command is",
		`{"mounts": ["source=/x,target=/proc,type=bind"]}`:                          "mounts: ",
		`{"mounts": ["source=/x,target=rel,type=bind"]}`:                            "mounts: ",
		`{"mounts": ["source=../x,target=/x,type=volume"]}`:                         "mounts: ",
		`{"appPort": ["1-250", "1-250", "1-250", "1-250", "1"]}`:                    "more than 1000 ports",
		`{"postCreateCommand": "` + strings.Repeat("${localEnv:LONG}", 3000) + `"}`: "too large with the values",
		strings.Repeat(" ", maxFile+1):                                              "is larger than",
		strings.Repeat("[", maxFile):                                                "devcontainer.json",
	} {
		dir := write(t, map[string]string{".devcontainer/devcontainer.json": text, ".devcontainer/Dockerfile": ""})
		_, err := Find(dir, hostEnv)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestAsks(t *testing.T) {
	for text, want := range map[string]int{
		``:                                       0,
		`ports = ["80", "127.0.0.3:1:1"]`:        0,
		`ports = ["0.0.0.0:80:80"]`:              1,
		`host_loopback = true`:                   1,
		`ssh_agent = true`:                       1,
		`egress = "all"`:                         1,
		`egress = "none"`:                        0,
		`egress = "public"`:                      0,
		`allow = ["10.0.0.1"]`:                   1,
		`mounts = ["src:/src:ro"]`:               0,
		`mounts = ["src:/src"]`:                  1,
		`mounts = ["/etc:/host:ro"]`:             1,
		`mounts = ["../..:/host:ro"]`:            1,
		`mounts = ["out:/host:ro"]`:              1,
		`workspace = "mount"`:                    1,
		`volumes = ["db:/var/lib/db"]`:           1,
		`secrets = ["A@a.test", "B=@/b@b.test"]`: 2,
		`deny = ["10.0.0.1"]`:                    0,
		"ssh_agent = true\nhost_loopback = true": 2,
	} {
		dir := write(t, map[string]string{FileName: text, "src/x": ""})
		if err := os.Symlink("/etc", filepath.Join(dir, "out")); err != nil {
			t.Fatal(err)
		}
		s, err := Find(dir, hostEnv)
		if err != nil {
			t.Fatal(err)
		}
		if asks := s.Asks(policy.Settings{Egress: policy.Public}); len(asks) != want {
			t.Errorf("%q asks for %q", text, asks)
		}
	}
}

// Features come behind those that they need or want to be behind.
func TestInOrder(t *testing.T) {
	all := []Feature{
		{ID: "ghcr.io/f/c:1", After: []string{"ghcr.io/f/A"}},
		{ID: "ghcr.io/f/b@sha256:12", Needs: map[string]json.RawMessage{"ghcr.io/f/c:2": nil}},
		{ID: "ghcr.io/f/a:1", After: []string{"ghcr.io/f/none"}},
		{ID: "localhost:5000/d"},
	}
	ids := func(all []Feature) (text string) {
		for _, f := range all {
			text += f.ID[strings.LastIndex(f.ID, "/")+1:][:1]
		}
		return text
	}
	if got := ids(InOrder(all, nil)); got != "acbd" {
		t.Errorf("got %s", got)
	}
	if got := ids(InOrder(all, []string{"localhost:5000/d"})); got != "dacb" {
		t.Errorf("with one first: %s", got)
	}
	all[2].After = []string{"ghcr.io/f/b"}
	if got := ids(InOrder(all, nil)); len(got) != 4 {
		t.Errorf("of those that wait for each other: %s", got)
	}
}

// Who agreed is asked again where a Dockerfile is another, or a directory has become a
// link to another.
func TestAgreedToAsItIs(t *testing.T) {
	dir := write(t, map[string]string{FileName: "dockerfile = \"Dockerfile\"\nmounts = [\"data:/data\"]", "Dockerfile": "FROM a", "data/x": ""})
	keys := map[string]bool{}
	for _, change := range []func() error{
		func() error { return nil },
		func() error { return os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM b"), 0o644) },
		func() error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "data")), os.Symlink("/etc", filepath.Join(dir, "data")))
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		s, err := Find(dir, hostEnv)
		if err != nil {
			t.Fatal(err)
		}
		keys[s.AgreementKey(s.Asks(policy.Settings{}))] = true
		if again, err := Find(dir, hostEnv); err != nil || !keys[again.AgreementKey(again.Asks(policy.Settings{}))] {
			t.Errorf("the same is another agreement, %v", err)
		}
	}
	if len(keys) != 3 {
		t.Errorf("there are %d agreements", len(keys))
	}
}

// Who agrees sees where a secret comes from and goes to. There is no value.
func TestSecrets(t *testing.T) {
	dir := write(t, map[string]string{FileName: `secrets = ["A@a.test,*.b.test:8443", "B=@key@b.test", "C=@link@c.test"]`, "key": "x"})
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, err := Find(dir, hostEnv)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"requests of the guest to a.test,*.b.test:8443 have your variable A",
		"requests of the guest to b.test have what is in " + filepath.Join(dir, "key"),
		"requests of the guest to c.test have what is in /etc/hostname",
	}
	if diff := cmp.Diff(want, s.Asks(policy.Settings{})); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		`secrets = ["A=hunter2@a.test"]`:      "no value is kept here",
		`secrets = ["A"]`:                     "write NAME@HOST",
		`secrets = ["A@a.test", "A@b.test"]`:  "given twice",
		`secrets = ["PATH@a.test"]`:           "sets that variable",
		"name = \"x\"\nsecrets = [\"A@com\"]": "line 2: secrets",
	} {
		_, err := Find(write(t, map[string]string{FileName: text}), hostEnv)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// Rules that allow something are a restriction of the rest.
func TestAsksBesideRules(t *testing.T) {
	s := Spec{Policy: policy.Settings{Egress: policy.All, Allow: []string{"a.example"}}}
	if asks := s.Asks(policy.Settings{Allow: []string{"b.example"}}); len(asks) != 2 {
		t.Errorf("asks for %q", asks)
	}
	if asks := s.Asks(policy.Settings{}); len(asks) != 0 {
		t.Errorf("asks for %q", asks)
	}
}

// An agreement is for one project, and for what was shown.
func TestAgreementKey(t *testing.T) {
	one, other := Spec{Dir: "/a"}, Spec{Dir: "/b"}
	keys := []string{one.AgreementKey([]string{"x"}), other.AgreementKey([]string{"x"}), one.AgreementKey([]string{"x", "y"}), one.AgreementKey([]string{"xy"})}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 4 {
		t.Errorf("got %q", keys)
	}
}

func FuzzTOML(f *testing.F) {
	f.Add([]byte("image = \"x\"\n[env]\nA = \"b\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Spec{Path: "/nowhere/" + FileName, Dir: t.TempDir()}
		if err := parseTOML(&s, text); err == nil {
			s.Asks(policy.Settings{Egress: policy.Public})
		}
	})
}

func FuzzDevcontainer(f *testing.F) {
	f.Add([]byte(`{"image": "debian:12", "forwardPorts": [1], "postCreateCommand": {"a": ["b"]}, "containerEnv": {"A": "${localEnv:B:c}"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Spec{Path: "/nowhere/.devcontainer.json", Dir: t.TempDir()}
		if err := parseDevcontainer(&s, text, hostEnv); err == nil {
			s.Asks(policy.Settings{Egress: policy.Public})
		}
	})
}
