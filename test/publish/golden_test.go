package publish

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goldenBanger is a stand-in that makes a bundle of a file system that the
// test made.
const goldenBanger = `#!/bin/bash
set -euo pipefail
case "$1 $2" in
"image build") printf '%s\n' "$@" >"$BUNDLE.built" ;;
"internal pack-image")
	[[ $3 == debian-bookworm ]] || { echo "banger: no image is called $3" >&2; exit 1; }
	tar --zstd -cf "$4" -C "$(dirname "$BUNDLE")" rootfs.ext4
	printf '{"name":"%s","arch":"x86_64","kernel_ref":"generic-6.12","distro":"debian","sha256":"%s","size":%s}\n' \
		"$3" "$(sha256sum <"$4" | cut -c1-64)" "$(stat -c %s "$4")"
	;;
"internal patch-catalog")
	shift 2
	printf '%s\n' "$@" >"$CATALOG"
	;;
*) exit 99 ;;
esac
`

const dpkgStatus = `Package: bash
Status: install ok installed
Maintainer: A Maintainer <a@example.org>
Architecture: amd64
Version: 5.2.15-2+b7
Source: bash (5.2.15-2)
Description: a shell
 of several lines

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
`

// newGoldenBench is a place to publish an image from.
func newGoldenBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.script = "publish-golden-image.sh"
	b.write("banger", goldenBanger, 0o755)
	tree := filepath.Join(b.dir, "tree")
	for name, content := range map[string]string{"var/lib/dpkg/status": dpkgStatus, "usr/lib/os-release": "ID=debian\n"} {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mkfs := exec.Command("mkfs.ext4", "-q", "-d", tree, filepath.Join(b.dir, "rootfs.ext4"), "4M")
	mkfs.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if out, err := mkfs.CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, out)
	}
	return b
}

// objects lists what is in the bucket, by names without digests.
func (b *bench) objects() map[string]int {
	entries, _ := os.ReadDir(b.bucket)
	found := map[string]int{}
	for _, e := range entries {
		stem, suffix, _ := strings.Cut(e.Name(), ".")
		if strings.HasPrefix(stem, "debian-bookworm-x86_64-") {
			stem = "debian-bookworm-x86_64-PIN"
		}
		found[stem+"."+suffix]++
	}
	return found
}

func TestPublishGolden(t *testing.T) {
	b := newGoldenBench(t)
	out, err := b.run("--build-arg", "BASE_IMAGE=a b", "--description", "for tests")
	if err != nil {
		t.Fatal(out)
	}
	for _, name := range []string{
		"debian-bookworm-x86_64.tar.zst", "debian-bookworm-x86_64-PIN.tar.zst",
		"debian-bookworm-x86_64.spdx.json", "debian-bookworm-x86_64-PIN.spdx.json",
	} {
		if b.objects()[name] != 1 {
			t.Errorf("%s is not there: %v", name, b.objects())
		}
	}
	patched := b.read(b.catalog)
	for _, want := range []string{
		"--kind\nimage\n", "--name\ndebian-bookworm\n--arch\nx86_64\n--distro\ndebian\n--kernel-ref\ngeneric-6.12\n",
		"--url\n" + b.url + "/debian-bookworm-x86_64-", "--description\nfor tests\n",
	} {
		if !strings.Contains(patched, want) {
			t.Errorf("the catalog was told %q, without %q", patched, want)
		}
	}
	if built := b.read(filepath.Join(b.dir, "bundle.built")); !strings.Contains(built, "--kernel-ref\ngeneric-6.12\n--build-arg\nBASE_IMAGE=a b\n") {
		t.Errorf("built by %q", built)
	}
	list := b.read(filepath.Join(b.bucket, "debian-bookworm-x86_64.spdx.json"))
	for _, want := range []string{`"versionInfo": "5.2.15-2+b7"`, `pkg:deb/debian/bash@5.2.15-2%2Bb7?arch=amd64`, `"spdxVersion": "SPDX-2.3"`, `"libc6"`} {
		if !strings.Contains(list, want) {
			t.Errorf("the list of packages has no %s:\n%s", want, list)
		}
	}
	if strings.Contains(list, `"gone"`) {
		t.Error("the list has a package that was removed")
	}
}

func TestPublishGoldenFails(t *testing.T) {
	b := newGoldenBench(t)
	for _, args := range [][]string{{"--no-build", "other"}, {"a", "b"}, {"--build-arg"}, {"--remove"}, {"--unknown"}} {
		if out, err := b.run(args...); err == nil || !strings.Contains(out, "banger: ") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
	b.write("bucket", "no directory", 0o644)
	if out, err := b.run("--no-build"); err == nil || !strings.Contains(out, "failed; the catalog is as it was") {
		t.Errorf("%v, %s", err, out)
	}
	if got := b.read(b.catalog); got != "as it was\n" {
		t.Errorf("the catalog was changed: %s", got)
	}
}

func TestGoldenDryRunAndRemove(t *testing.T) {
	b := newGoldenBench(t)
	if out, err := b.run("--dry-run"); err != nil || !strings.Contains(out, "would upload") {
		t.Errorf("%v, %s", err, out)
	}
	if out, err := b.run("--dry-run", "--remove", "debian-bookworm"); err != nil || !strings.Contains(out, "would take") {
		t.Errorf("%v, %s", err, out)
	}
	if _, err := os.Stat(b.bucket); !os.IsNotExist(err) || b.read(b.catalog) != "as it was\n" {
		t.Errorf("touches the remote or the catalog: %v", err)
	}
	if out, err := b.run(); err != nil {
		t.Fatal(out)
	}
	if out, err := b.run("--remove", "debian-bookworm"); err != nil {
		t.Fatal(out)
	}
	got := b.objects()
	if len(got) != 2 || got["debian-bookworm-x86_64-PIN.tar.zst"] != 1 || !strings.HasSuffix(b.read(b.catalog), "--remove\n") {
		t.Errorf("left are %v, the catalog was told %q", got, b.read(b.catalog))
	}
}
