package imagebuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stub is a program that builds Dockerfiles: it notes its command lines, and
// saves an archive that the test made.
const stub = `#!/bin/sh
echo "$@" >>"$LOG"
[ "$1" != "$FAILS" ] || { echo "it went wrong"; exit 3; }
case "$*" in
*docker-archive:*) file=${3#docker-archive:}; cp "$ARCHIVE" "${file%:localhost*}" ;;
save*) for f; do case $f in */image.tar) cp "$ARCHIVE" "$f" ;; esac; done ;;
esac
`

// newTools makes the named stubs the only programs of their kind.
func newTools(t *testing.T, programs ...string) (log string) {
	t.Helper()
	dir := t.TempDir()
	for _, program := range programs {
		if err := os.WriteFile(filepath.Join(dir, program), []byte(stub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	log = filepath.Join(dir, "log")
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	t.Setenv("LOG", log)
	t.Setenv("ARCHIVE", dir+"/archive")
	t.Setenv("FAILS", "")
	write(t, dir, map[string]string{"archive": "no archive"})
	for _, program := range []string{"docker", "podman", "buildah"} {
		if _, err := os.Stat("/usr/bin/" + program); err == nil && len(programs) == 0 {
			t.Skip(program + " is installed here")
		}
	}
	return log
}

func TestFromDockerfile(t *testing.T) {
	for program, want := range map[string]string{
		"docker":  "version|build --tag TAG --file ctx/Dockerfile --build-arg A=1 2 --target dev ctx|save --output FILE TAG|rmi --no-prune TAG",
		"podman":  "version|build --tag TAG --file ctx/Dockerfile --build-arg A=1 2 --target dev ctx|save --format docker-archive --output FILE TAG|rmi TAG",
		"buildah": "version|bud --tag TAG --file ctx/Dockerfile --build-arg A=1 2 --target dev ctx|push TAG docker-archive:FILE:TAG|rmi TAG",
	} {
		t.Run(program, func(t *testing.T) {
			log := newTools(t, program)
			if program != "docker" {
				hideOthers(t, program)
			}
			b, _ := newBuilder(t)
			dir := t.TempDir()
			write(t, dir, map[string]string{"ctx/Dockerfile": "FROM scratch\n"})
			t.Chdir(dir)
			temp := t.TempDir()
			_, err := b.FromDockerfile(t.Context(), Dockerfile{Name: "new", Context: "ctx", Args: []string{"A=1 2"}, Target: "dev", TempDir: temp})
			if err == nil || !strings.Contains(err.Error(), "not a tar") {
				t.Errorf("what was saved is not looked at: %v", err)
			}
			lines, _ := os.ReadFile(log)
			if got := anonymous(string(lines)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if left, _ := os.ReadDir(temp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// hideOthers makes those that come before program fail.
func hideOthers(t *testing.T, program string) {
	t.Helper()
	dir := t.TempDir()
	for _, other := range tools {
		if other.program == program {
			break
		}
		if err := os.WriteFile(filepath.Join(dir, other.program), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// anonymous replaces what is different each time.
func anonymous(lines string) string {
	words := strings.Fields(strings.ReplaceAll(strings.TrimSpace(lines), "\n", " | "))
	for i, word := range words {
		switch at := strings.Index(word, "localhost/banger-build:"); {
		case strings.HasPrefix(word, "docker-archive:"):
			words[i] = "docker-archive:FILE:TAG"
		case at == 0:
			words[i] = "TAG"
		case strings.HasSuffix(word, "/image.tar"):
			words[i] = "FILE"
		}
	}
	return strings.ReplaceAll(strings.Join(words, " "), " | ", "|")
}

func TestFromDockerfileFails(t *testing.T) {
	log := newTools(t, "docker")
	b, out := newBuilder(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"file": ""})
	build := func() error {
		_, err := b.FromDockerfile(t.Context(), Dockerfile{Name: "new", Context: dir, TempDir: dir + "/temp"})
		return err
	}
	t.Setenv("FAILS", "build")
	var failed *ToolError
	if err := build(); !errors.As(err, &failed) || failed.Command != "docker build" || out.String() != "it went wrong\n" {
		t.Errorf("got %v, shows %q", err, out)
	}
	if lines, _ := os.ReadFile(log); strings.Contains(string(lines), "rmi") {
		t.Errorf("removes what was not built: %s", lines)
	}
	t.Setenv("FAILS", "save")
	if err := build(); !errors.As(err, &failed) || failed.Command != "docker save" {
		t.Errorf("got %v", err)
	}
	if lines, _ := os.ReadFile(log); !strings.Contains(string(lines), "rmi --no-prune localhost/banger-build:") {
		t.Errorf("leaves what was built: %s", lines)
	}
	for _, context := range []string{dir + "/file", dir + "/absent"} {
		if _, err := b.FromDockerfile(t.Context(), Dockerfile{Name: "new", Context: context}); err == nil {
			t.Errorf("%s: no error", context)
		}
	}
	t.Setenv("FAILS", "version")
	hideOthers(t, "none")
	var none *NoToolError
	if err := build(); !errors.As(err, &none) || none.Docker == nil {
		t.Errorf("got %v", err)
	}
}
