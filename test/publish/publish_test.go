// Package publish holds tests of the scripts that publish bundles: rclone is
// real, its remote is a directory, and the public URL is a server of the test.
// banger itself is a stand-in that packs a given file and notes what it is told
// to write to the catalog.
package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

const banger = `#!/bin/bash
set -euo pipefail
case "$1 $2" in
"internal pack-kernel")
	[[ $3 == generic-6.12 ]] || { echo "banger: no kernel is called $3" >&2; exit 1; }
	cp "$BUNDLE" "$4"
	printf '{"name":"%s","arch":"x86_64","kernel_version":"6.12.30","distro":"generic","sha256":"%s","size":%s}\n' \
		"$3" "$(sha256sum <"$4" | cut -c1-64)" "$(stat -c %s "$4")"
	;;
"internal patch-catalog")
	shift 2
	printf '%s\n' "$@" >"$CATALOG"
	;;
*) exit 99 ;;
esac
`

const content = "not zstd, which the script does not look at"

// bench is a place to publish from: a bundle, a catalog, a remote.
type bench struct {
	t                *testing.T
	dir, bucket, url string
	catalog          string
	script           string
	// serve answers the public's requests; by default with the bucket's files.
	serve atomic.Pointer[http.Handler]
}

func newBench(t *testing.T) *bench {
	t.Helper()
	for _, program := range []string{"rclone", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("publishing needs %s: %v", program, err)
		}
	}
	b := &bench{t: t, dir: t.TempDir(), script: "publish-kernel.sh"}
	b.bucket = filepath.Join(b.dir, "bucket")
	b.catalog = filepath.Join(b.dir, "catalog.json")
	b.answer(http.FileServer(http.Dir(b.bucket)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*b.serve.Load()).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	b.url = server.URL
	b.write("bundle", content, 0o644)
	b.write("banger", banger, 0o755)
	b.write("catalog.json", "as it was\n", 0o644)
	return b
}

// answer makes h answer the public's requests.
func (b *bench) answer(h http.Handler) { b.serve.Store(&h) }

func (b *bench) write(name, content string, mode os.FileMode) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(content), mode); err != nil {
		b.t.Fatal(err)
	}
}

// run calls the script and returns all that it printed.
func (b *bench) run(args ...string) (string, error) {
	b.t.Helper()
	command := exec.Command("../../scripts/"+b.script, args...)
	command.Env = append(os.Environ(),
		"BANGER="+filepath.Join(b.dir, "banger"), "BUNDLE="+filepath.Join(b.dir, "bundle"), "CATALOG="+b.catalog,
		"RCLONE_REMOTE=store", "RCLONE_CONFIG_STORE_TYPE=local", "RCLONE_CONFIG="+filepath.Join(b.dir, "rclone.conf"),
		"RCLONE_BUCKET="+b.bucket, "BASE_URL="+b.url+"/", "no_proxy=*")
	out, err := command.CombinedOutput()
	return string(out), err
}

func (b *bench) read(path string) string {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func pinned(text string) string { return "generic-6.12-x86_64-" + digest(text)[:12] + ".tar.zst" }

func TestPublish(t *testing.T) {
	b := newBench(t)
	out, err := b.run("generic-6.12", "--description", "for tests; don't $(echo use)")
	if err != nil {
		t.Fatal(out)
	}
	for _, name := range []string{"generic-6.12-x86_64.tar.zst", pinned(content)} {
		if b.read(filepath.Join(b.bucket, name)) != content {
			t.Errorf("%s is not the bundle", name)
		}
	}
	want := strings.Join([]string{
		"--kind", "kernel", "--file", b.catalog, "--name", "generic-6.12", "--arch", "x86_64", "--distro", "generic",
		"--kernel-version", "6.12.30", "--url", b.url + "/" + pinned(content), "--sha256", digest(content),
		"--size", "43", "--description", "for tests; don't $(echo use)", "",
	}, "\n")
	if got := b.read(b.catalog); got != want {
		t.Errorf("the catalog was told %q, want %q", got, want)
	}
	if !strings.Contains(out, "git add "+b.catalog) {
		t.Errorf("does not say what follows: %s", out)
	}
}

// A patch bump leaves what older catalogs point at.
func TestPublishAgain(t *testing.T) {
	b := newBench(t)
	if out, err := b.run("generic-6.12"); err != nil {
		t.Fatal(out)
	}
	b.write("bundle", content+", newer", 0o644)
	if out, err := b.run("generic-6.12"); err != nil {
		t.Fatal(out)
	}
	for name, want := range map[string]string{
		pinned(content):               content,
		pinned(content + ", newer"):   content + ", newer",
		"generic-6.12-x86_64.tar.zst": content + ", newer",
	} {
		if got := b.read(filepath.Join(b.bucket, name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if catalog := b.read(b.catalog); strings.Contains(catalog, "--description") {
		t.Errorf("changes a description that was not given: %s", catalog)
	}
}

func TestPublishFails(t *testing.T) {
	respond := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	tests := map[string]struct {
		prepare func(*bench)
		args    []string
		want    string
	}{
		"no such kernel": {nil, []string{"generic-9.9"}, "no kernel is called generic-9.9"},
		"no name":        {nil, nil, "usage:"},
		"two names":      {nil, []string{"a", "b"}, "usage:"},
		"unknown option": {nil, []string{"generic-6.12", "--force"}, "usage:"},
		"no description": {nil, []string{"generic-6.12", "--description"}, "usage:"},
		"no banger":      {func(b *bench) { _ = os.Remove(filepath.Join(b.dir, "banger")) }, []string{"generic-6.12"}, "make build"},
		"upload": {
			func(b *bench) { b.write("bucket", "no directory", 0o644) },
			[]string{"generic-6.12"}, "failed; the catalog is as it was",
		},
		"not public": {
			func(b *bench) { b.answer(http.NotFoundHandler()) },
			[]string{"generic-6.12"}, `status and length are "404 19", not "200 43"`,
		},
		"wrong length": {
			func(b *bench) { b.answer(respond(200, "short")) },
			[]string{"generic-6.12"}, `status and length are "200 5", not "200 43"`,
		},
		"wrong bytes": {
			func(b *bench) { b.answer(respond(200, strings.Repeat("x", len(content)))) },
			[]string{"generic-6.12"}, "the SHA-256 of what comes back is " + digest(strings.Repeat("x", len(content))),
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			b := newBench(t)
			if test.prepare != nil {
				test.prepare(b)
			}
			out, err := b.run(test.args...)
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("got %v, %s, want ... %s", err, out, test.want)
			}
			if got := b.read(b.catalog); got != "as it was\n" {
				t.Errorf("the catalog was changed: %s", got)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	b := newBench(t)
	if out, err := b.run("generic-6.12"); err != nil {
		t.Fatal(out)
	}
	if out, err := b.run("--remove", "generic-6.12"); err != nil {
		t.Fatal(out)
	}
	want := strings.Join([]string{"--kind", "kernel", "--file", b.catalog, "--name", "generic-6.12", "--arch", "x86_64", "--remove", ""}, "\n")
	if got := b.read(b.catalog); got != want {
		t.Errorf("the catalog was told %q, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(b.bucket, "generic-6.12-x86_64.tar.zst")); !os.IsNotExist(err) {
		t.Errorf("the bundle of the plain name is still there: %v", err)
	}
	if b.read(filepath.Join(b.bucket, pinned(content))) != content {
		t.Error("what older catalogs point at is gone")
	}
}

func TestDryRun(t *testing.T) {
	for _, args := range [][]string{{"generic-6.12", "--dry-run"}, {"--dry-run", "--remove", "generic-6.12"}} {
		b := newBench(t)
		b.answer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asks for %s", r.URL) }))
		out, err := b.run(args...)
		if err != nil || !strings.Contains(out, "would ") {
			t.Errorf("%q: got %v, %s", args, err, out)
		}
		if _, err := os.Stat(b.bucket); !os.IsNotExist(err) {
			t.Errorf("%q: touches the remote: %v", args, err)
		}
		if got := b.read(b.catalog); got != "as it was\n" {
			t.Errorf("%q: the catalog was changed: %s", args, got)
		}
	}
}
