package trust

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/agentapi"
)

const (
	theirs = "-----BEGIN CERTIFICATE-----\ntheirs\n-----END CERTIFICATE-----\n"
	ours   = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"
)

var secrets = agentapi.Secrets{Env: []string{"TOKEN=it's-fake"}, Authority: ours, SubjectHash: "0123abcd"}

// makeRoot makes a root; what begins with -> is a link.
func makeRoot(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if to, isLink := strings.CutPrefix(text, "-> "); err == nil && isLink {
			err = os.Symlink(to, path)
		} else if err == nil && text == "/" {
			err = os.Mkdir(path, 0o755)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o444)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// read returns what a root has, without its directories.
func read(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if to, err := os.Readlink(path); err == nil {
			files[name] = "-> " + to
			return nil
		}
		data, err := os.ReadFile(path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// layouts are what distributions have, and where the authority is to be in them.
var layouts = map[string]struct {
	files  map[string]string
	want   map[string]string
	bundle string // that programs are led to
}{
	"Debian": {
		map[string]string{
			"etc/ssl/certs/ca-certificates.crt": theirs, "etc/ssl/certs/Theirs.pem": "-> /usr/share/x.crt",
			"etc/ssl/certs/0123abcd.0": "-> Theirs.pem", "etc/profile.d/x.sh": "",
		},
		map[string]string{
			certificate: ours, "etc/ssl/certs/ca-certificates.crt": theirs + ours,
			"etc/ssl/certs/banger.pem": "-> /" + certificate, "etc/ssl/certs/0123abcd.1": "-> banger.pem",
		}, "etc/ssl/certs/ca-certificates.crt",
	},
	"Alpine": {
		map[string]string{"etc/ssl/certs/ca-certificates.crt": theirs + "x", "etc/ssl/cert.pem": "-> certs/ca-certificates.crt"},
		map[string]string{
			certificate: ours, "etc/ssl/certs/ca-certificates.crt": theirs + "x\n" + ours,
			"etc/ssl/certs/banger.pem": "-> /" + certificate, "etc/ssl/certs/0123abcd.0": "-> banger.pem",
		}, "etc/ssl/certs/ca-certificates.crt",
	},
	"Fedora": {
		map[string]string{
			"etc/pki/ca-trust/source/anchors": "/", "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": theirs,
			"etc/pki/tls/certs/ca-bundle.crt": "-> ../../ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/ssl/certs": "-> ../pki/tls/certs",
		},
		map[string]string{
			certificate: ours, "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": theirs + ours, "etc/pki/ca-trust/source/anchors/banger.crt": ours,
			"etc/pki/tls/certs/banger.pem": "-> /" + certificate, "etc/pki/tls/certs/0123abcd.0": "-> banger.pem",
		}, "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	},
	"none": {nil, map[string]string{certificate: ours}, ""},
}

func TestApply(t *testing.T) {
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			root := makeRoot(t, layout.files)
			before := read(t, root)
			for range 2 { // at each start
				checkErrors(t, Apply(root, &secrets), layout.bundle != "")
			}
			want := maps.Clone(before)
			maps.Copy(want, layout.want)
			got := read(t, root)
			checkProfile(t, got, name == "Debian")
			delete(got, profile)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			env := Env(root, &secrets)
			if !slices.Contains(env, "TOKEN=it's-fake") || slices.Contains(env, "SSL_CERT_FILE=/"+layout.bundle) != (layout.bundle != "") {
				t.Errorf("programs get %q", env)
			}
			checkImage(t, root, before, got)
			if errs := Apply(root, nil); len(errs) > 0 || Env(root, nil) != nil {
				t.Error(errs)
			}
			if name == "Alpine" { // whose last line had no end
				before["etc/ssl/certs/ca-certificates.crt"] += "\n"
			}
			if diff := cmp.Diff(before, read(t, root)); diff != "" {
				t.Errorf("without secrets something stays: %s", diff)
			}
		})
	}
}

func checkErrors(t *testing.T, errs []error, hasStore bool) {
	t.Helper()
	if hasStore && len(errs) > 0 || !hasStore && (len(errs) != 1 || !errors.Is(errs[0], ErrNoStore)) {
		t.Fatal(errs)
	}
}

// checkProfile looks at what logins read, where the distribution has such.
func checkProfile(t *testing.T, files map[string]string, wanted bool) {
	t.Helper()
	script, is := files[profile]
	if is != wanted || is && !strings.Contains(script, `export TOKEN='it'\''s-fake'`+"\n") {
		t.Errorf("logins read %q", script)
	}
}

// checkImage checks that an image of the root is as the image before.
func checkImage(t *testing.T, root string, before, after map[string]string) {
	t.Helper()
	for name, text := range after {
		old, was := before[name]
		isBundle := IsBundle(name) && With(old, &secrets) == text
		if own := IsOwn(root, name); was && (own || old != text && !isBundle) || !was && !own {
			t.Errorf("an image of the root has another %s", name)
		}
	}
}

// Another authority takes the place of the one before.
func TestApplyAnother(t *testing.T) {
	root := makeRoot(t, layouts["Debian"].files)
	other := secrets
	other.Authority, other.SubjectHash = strings.ReplaceAll(ours, "ours", "new"), "fedcba98"
	for _, s := range []agentapi.Secrets{secrets, other} {
		if errs := Apply(root, &s); len(errs) > 0 {
			t.Fatal(errs)
		}
	}
	got := read(t, root)
	if got["etc/ssl/certs/ca-certificates.crt"] != theirs+other.Authority || got["etc/ssl/certs/0123abcd.1"] != "" || got["etc/ssl/certs/fedcba98.0"] != "-> banger.pem" {
		t.Errorf("got %q", got)
	}
}

// What cannot be done is told, and the rest is done.
func TestApplyGoesOn(t *testing.T) {
	root := makeRoot(t, layouts["Debian"].files)
	if err := os.MkdirAll(filepath.Join(root, "etc/ssl/certs/banger.pem/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if errs := Apply(root, &secrets); len(errs) != 1 {
		t.Errorf("got %v, want one error", errs)
	}
	if got := read(t, root)["etc/ssl/certs/ca-certificates.crt"]; got != theirs+ours {
		t.Errorf("the bundle is %q", got)
	}
}
