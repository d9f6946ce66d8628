package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/smallfile"
)

// credentials finds what docker or podman has for a repository. Where that
// cannot be read, as with a helper that is not installed here, it tells warn so
// and goes on without: most images need none.
func credentials(ctx context.Context, repo name.Repository, warn func(error)) (authn.AuthConfig, error) {
	type found struct {
		auth authn.AuthConfig
		err  error
	}
	resolved := make(chan found, 1)
	go func() { // a helper is a program that may hang
		auth, err := findCredentials(repo)
		resolved <- found{auth, err}
	}()
	select {
	case f := <-resolved:
		if f.err != nil && warn != nil {
			warn(fmt.Errorf("read the credentials for %s: %w: going on without", Title(repo), f.err))
		}
		return f.auth, nil
	case <-ctx.Done():
		return authn.AuthConfig{}, ctx.Err()
	}
}

// credentialFiles are where docker and podman keep credentials, of which either may
// have those that are wanted.
func credentialFiles() []string {
	var files []string
	if dir := os.Getenv(config.EnvOverrideConfigDir); dir != "" {
		files = append(files, filepath.Join(dir, config.ConfigFileName))
	} else if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".docker", config.ConfigFileName))
	}
	if file := os.Getenv("REGISTRY_AUTH_FILE"); file != "" {
		files = append(files, file)
	}
	const podmans = "containers/auth.json"
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		files = append(files, filepath.Join(dir, podmans))
	}
	if dir, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(dir, podmans))
	}
	return files
}

// maxCredentials is more than a file of credentials has, in bytes.
const maxCredentials = 4 << 20

// findCredentials returns the first ones. The error says why there are none, where
// a file might have had some.
func findCredentials(repo name.Repository) (authn.AuthConfig, error) {
	var fault error
	for _, file := range credentialFiles() {
		data, err := smallfile.Read(file, maxCredentials)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var kept *configfile.ConfigFile
		if err == nil {
			kept, err = config.LoadFromReader(strings.NewReader(string(data)))
		}
		if err != nil {
			fault = fmt.Errorf("%s: %w", file, err)
			continue
		}
		auth, err := credentialsIn(kept, repo)
		if err != nil {
			fault = err
		} else if auth != (authn.AuthConfig{}) {
			return auth, nil
		}
	}
	return authn.AuthConfig{}, fault
}

// credentialsIn looks for a repository's, then for those of what it is in.
func credentialsIn(kept *configfile.ConfigFile, repo name.Repository) (authn.AuthConfig, error) {
	registry := repo.RegistryStr()
	for at := repo.Name(); ; at = path.Dir(at) {
		_, listed := kept.AuthConfigs[at]
		_, helped := kept.CredentialHelpers[at]
		if at != registry && !listed && !helped {
			continue
		}
		key := at
		if key == name.DefaultRegistry {
			key = authn.DefaultAuthKey
		}
		auth, err := kept.GetAuthConfig(key)
		if err != nil {
			return authn.AuthConfig{}, err
		}
		auth.ServerAddress = "" // which is always there
		if auth != (types.AuthConfig{}) {
			return authn.AuthConfig{Username: auth.Username, Password: auth.Password, IdentityToken: auth.IdentityToken, RegistryToken: auth.RegistryToken}, nil
		}
		if at == registry {
			return authn.AuthConfig{}, nil
		}
	}
}
