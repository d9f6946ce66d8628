// Package trust has the guest's programs trust the authority that vouches for the
// hosts of the VM's secrets, and know the placeholders of these.
//
// It puts the authority where distributions keep such, so that their own tools keep
// it: among the anchors, and into the bundles and directories that are made of
// them. Where the VM has no secrets any more, it takes all of that away again.
package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/agentapi"
)

// certificate is where the authority is in any case: Debian's place for anchors,
// Ubuntu's and Alpine's.
const certificate = "usr/local/share/ca-certificates/banger.crt"

// anchors are the others' places: Fedora's, Arch's and SUSE's.
var anchors = []string{"etc/pki/ca-trust/source/anchors", "etc/ca-certificates/trust-source/anchors", "etc/pki/trust/anchors"}

// bundles are files of all authorities, of which an image has one or two, and
// links to them.
var bundles = []string{
	"etc/ssl/certs/ca-certificates.crt",                   // Debian, Ubuntu, Alpine
	"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",    // Fedora
	"etc/ca-certificates/extracted/tls-ca-bundle.pem",     // Arch
	"var/lib/ca-certificates/ca-bundle.pem",               // SUSE
	"etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem", // where the above are not
}

// directories are those that OpenSSL looks into, by the hash of a subject.
var directories = []string{"etc/ssl/certs", "etc/pki/tls/certs", "etc/pki/ca-trust/extracted/pem/directory-hash"}

// linkName is the authority's in such a directory, as update-ca-certificates names
// it.
const linkName = "banger.pem"

// profile is read by the shells of logins that are not banger's.
const profile = "etc/profile.d/banger-secrets.sh"

// ErrNoStore says that an image has no authorities to add one to.
var ErrNoStore = errors.New("the image has no certificates of authorities: install ca-certificates")

// Apply has the root's programs trust the authority, or none where s is nil. What
// cannot be done does not keep the rest from being so.
func Apply(root string, s *agentapi.Secrets) (errs []error) {
	path := filepath.Join(root, certificate)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []error{err}
	}
	if s == nil && len(before) == 0 {
		return nil
	}
	if s == nil {
		s = &agentapi.Secrets{}
	}
	for _, err := range []error{
		put(path, s.Authority, 0o755),
		applyAnchors(root, s.Authority),
		applyBundles(root, string(before), s.Authority),
		applyDirectories(root, s),
		applyProfile(root, s.Env),
	} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func applyAnchors(root, authority string) (err error) {
	for _, dir := range anchors {
		if isDir(filepath.Join(root, dir)) {
			err = errors.Join(err, put(filepath.Join(root, dir, "banger.crt"), authority, 0))
		}
	}
	return err
}

func applyBundles(root, before, authority string) (err error) {
	found := false
	var done []string
	for _, name := range bundles {
		path, missing := filepath.EvalSymlinks(filepath.Join(root, name))
		if missing != nil || slices.Contains(done, path) {
			continue
		}
		found, done = true, append(done, path)
		err = errors.Join(err, applyBundle(path, before, authority))
	}
	if !found && authority != "" {
		return ErrNoStore
	}
	return err
}

func applyBundle(path, before, authority string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	after := with(without(string(text), before), authority)
	if after == string(text) {
		return nil
	}
	return replace(path, after, info.Mode().Perm())
}

func without(bundle, authority string) string {
	if authority == "" {
		return bundle
	}
	return strings.ReplaceAll(bundle, authority, "")
}

func with(bundle, authority string) string {
	if strings.Contains(bundle, authority) { // as where it is ""
		return bundle
	}
	if bundle != "" && !strings.HasSuffix(bundle, "\n") {
		bundle += "\n"
	}
	return bundle + authority
}

// applyDirectories puts in a link to the authority, and one by the hash to that.
func applyDirectories(root string, s *agentapi.Secrets) (err error) {
	for _, name := range directories {
		dir := filepath.Join(root, name)
		if !isDir(dir) {
			continue
		}
		hashes, _ := filepath.Glob(filepath.Join(dir, "????????.[0-9]"))
		for _, path := range hashes {
			if to, _ := os.Readlink(path); to == linkName {
				err = errors.Join(err, os.Remove(path))
			}
		}
		err = errors.Join(err, removeIfThere(filepath.Join(dir, linkName)))
		if s.Authority == "" {
			continue
		}
		err = errors.Join(err,
			os.Symlink("/"+certificate, filepath.Join(dir, linkName)),
			linkHash(dir, s.SubjectHash))
	}
	return err
}

// linkHash takes the first number that is free: others may have the same hash.
func linkHash(dir, hash string) error {
	var err error
	for _, number := range "0123456789" {
		err = os.Symlink(linkName, filepath.Join(dir, hash+"."+string(number)))
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return err
}

// applyProfile sets the placeholders for other logins, where they set no others.
func applyProfile(root string, env []string) error {
	path := filepath.Join(root, profile)
	if !isDir(filepath.Dir(path)) {
		return nil
	}
	var text strings.Builder
	for _, entry := range append(slices.Clone(env), variables(root, len(env) > 0)...) {
		name, value, _ := strings.Cut(entry, "=")
		text.WriteString("[ -n \"${" + name + "+x}\" ] || export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	return put(path, text.String(), 0)
}

// put writes a file, or removes it where it is to have nothing. Its directory is
// made where mode is not 0.
func put(path, text string, mode fs.FileMode) error {
	if text == "" {
		return removeIfThere(path)
	}
	if now, err := os.ReadFile(path); err == nil && string(now) == text {
		return nil
	}
	if mode != 0 {
		if err := os.MkdirAll(filepath.Dir(path), mode); err != nil {
			return err
		}
	}
	return replace(path, text, 0o644)
}

// replace writes a file in one step.
func replace(path, text string, mode fs.FileMode) error {
	temp := path + ".banger"
	err := os.WriteFile(temp, []byte(text), mode)
	if err == nil {
		err = os.Chmod(temp, mode)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
