package trust

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/agentapi"
)

// added are the variables of programs that take authorities beside their own.
var added = []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"}

// instead are those of programs that have authorities of their own, and take the
// guest's in their place; and of those that look in one place only.
var instead = []string{
	"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO",
	"NIX_SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
}

// Env is what the programs of a VM with secrets have in their environment: the
// placeholders, and where the authorities are.
func Env(root string, s *agentapi.Secrets) []string {
	if s == nil {
		return nil
	}
	return append(variables(root, true), s.Env...)
}

// variables lead programs to the authorities.
func variables(root string, wanted bool) (env []string) {
	if !wanted {
		return nil
	}
	for _, name := range added {
		env = append(env, name+"=/"+certificate)
	}
	// Without the image's own authorities, programs do better with theirs.
	for _, bundle := range bundles {
		if _, err := os.Stat(filepath.Join(root, bundle)); err != nil {
			continue
		}
		for _, name := range instead {
			env = append(env, name+"=/"+bundle)
		}
		break
	}
	return env
}

// IsOwn reports whether a file of a root, by its name below that, is there for the
// VM's secrets only.
func IsOwn(root, name string) bool {
	if name == certificate || name == profile {
		return true
	}
	dir, base := filepath.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case slices.Contains(anchors, dir):
		return base == "banger.crt"
	case slices.Contains(directories, dir):
		to, _ := os.Readlink(filepath.Join(root, name))
		return to == linkName || base == linkName
	}
	return false
}

// IsBundle reports whether a file of the root is one that an authority is added to.
func IsBundle(name string) bool { return slices.Contains(bundles, name) }

// With is a bundle with the authority.
func With(bundle string, s *agentapi.Secrets) string {
	if s == nil {
		return bundle
	}
	return with(bundle, s.Authority)
}
