package registry

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// docker and podman keep credentials in files of their own, and people have both;
// podman's may be for a part of a registry.
func TestCredentials(t *testing.T) {
	const docker, podman, old = ".docker/config.json", "run/containers/auth.json", ".config/containers/auth.json"
	auth := func(key, auth string) string { return `{"auths": {"` + key + `": {"auth": "` + auth + `"}}}` }
	const a, b = "YTpwYQ==", "YjpwYg==" // a:pa, b:pb
	for _, c := range []struct {
		what, repo string
		files      map[string]string
		user       string
		warned     bool
	}{
		{"none", "quay.io/org/app", nil, "", false},
		{"docker's", "quay.io/org/app", map[string]string{docker: auth("quay.io", a), podman: auth("quay.io", b)}, "a", false},
		{"podman's beside docker's of another", "quay.io/org/app", map[string]string{docker: auth("ghcr.io", a), podman: auth("quay.io", b)}, "b", false},
		{"podman's beside docker's without any", "quay.io/org/app", map[string]string{docker: `{"currentContext": "x"}`, old: auth("quay.io", b)}, "b", false},
		{"podman's beside docker's damaged", "quay.io/org/app", map[string]string{docker: `{`, podman: auth("quay.io", b)}, "b", false},
		{"a damaged one alone", "quay.io/org/app", map[string]string{docker: `{`}, "", true},
		{"a helper that is not there", "quay.io/org/app", map[string]string{docker: `{"credsStore": "nowhere"}`}, "", true},
		{"a part of the registry", "quay.io/org/app", map[string]string{podman: `{"auths": {"quay.io": {"auth": "` + a + `"}, "quay.io/org": {"auth": "` + b + `"}}}`}, "b", false},
		{"another part", "quay.io/other/app", map[string]string{podman: `{"auths": {"quay.io": {"auth": "` + a + `"}, "quay.io/org": {"auth": "` + b + `"}}}`}, "a", false},
		{"an empty entry", "quay.io/org/app", map[string]string{docker: `{"auths": {"quay.io": {}}}`}, "", false},
		{"Docker Hub's", "alpine", map[string]string{docker: auth(authn.DefaultAuthKey, a)}, "a", false},
	} {
		home := t.TempDir()
		for key, value := range map[string]string{
			"HOME": home, "DOCKER_CONFIG": "", "REGISTRY_AUTH_FILE": "", "XDG_CONFIG_HOME": "", "XDG_RUNTIME_DIR": filepath.Join(home, "run"),
		} {
			t.Setenv(key, value)
		}
		for file, text := range c.files {
			file = filepath.Join(home, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		warned := false
		got, err := credentials(t.Context(), must(name.NewRepository(c.repo)), func(error) { warned = true })
		if err != nil || got.Username != c.user || warned != c.warned || c.user != "" && got.Password != "p"+c.user {
			t.Errorf("%s: %+v, warned %v, %v", c.what, got, warned, err)
		}
	}
}
