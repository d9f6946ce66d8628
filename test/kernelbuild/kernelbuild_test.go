// Package kernelbuild holds tests of scripts/make-generic-kernel.sh with a
// source that is no kernel's but has its make targets, and with a curl that
// serves files of the test. scripts/test-reproducible-kernel.sh builds the real
// one.
package kernelbuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// makefile answers as a kernel's does. What it was told by the environment goes
// into its vmlinux.
const makefile = `
.PHONY: defconfig kvm_guest.config olddefconfig kernelversion vmlinux
defconfig:
	echo CONFIG_FROM_DEFCONFIG=y > .config
kvm_guest.config:
	echo CONFIG_FROM_KVM_GUEST=y >> .config
olddefconfig:
	sed -i '/CONFIG_UNKNOWN/d' .config
kernelversion:
	@echo 6.12.30
vmlinux:
	printf 'const char *told = "%s";int main(){return told==0;}' \
		'$(KBUILD_BUILD_TIMESTAMP) $(KBUILD_BUILD_USER)@$(KBUILD_BUILD_HOST) $(KBUILD_BUILD_VERSION) $(ARCH)' > told.c
	gcc -g -Wl,--build-id=none -o vmlinux told.c
`

const mergeConfig = "#!/bin/sh\ncat \"$2\" \"$3\" > .config.new && mv .config.new .config\n"

const curl = `#!/bin/bash
while [[ $# -gt 1 ]]; do
	case $1 in --output) to=$2; shift ;; --retry | --proto) shift ;; esac
	shift
done
cp "$SERVED/$(basename "$1")" "$to" 2>/dev/null || { echo "curl: cannot reach $1" >&2; exit 22; }
`

// bench is a copy of the script in a tree of its own.
type bench struct {
	t    *testing.T
	root string
	env  []string
}

func newBench(t *testing.T, programs ...string) *bench {
	t.Helper()
	for _, program := range append(programs, "make", "gcc", "strip", "xz") {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("building a kernel needs %s: %v", program, err)
		}
	}
	b := &bench{t: t, root: t.TempDir()}
	for _, name := range []string{"make-generic-kernel.sh", "lib.sh"} {
		script, err := os.ReadFile("../../scripts/" + name)
		if err != nil {
			t.Fatal(err)
		}
		b.write("scripts/"+name, string(script))
	}
	b.write("configs/generic.fragment", "# Why.\nCONFIG_WANTED=y\n# CONFIG_UNWANTED is not set\n")
	b.write("source/Makefile", makefile)
	b.write("source/Kconfig", "")
	b.write("source/scripts/kconfig/merge_config.sh", mergeConfig)
	b.write("bin/curl", curl)
	b.shell("touch -d @1700000000 source/Makefile && tar -cJf source.tar.xz source && mkdir served")
	b.env = []string{"SERVED=" + b.path("served"), "PATH=" + b.path("bin") + ":" + os.Getenv("PATH")}
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.root, name) }

func (b *bench) write(name, content string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), []byte(content), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func (b *bench) shell(script string) string {
	b.t.Helper()
	command := exec.Command("bash", "-euc", script)
	command.Dir = b.root
	out, err := command.CombinedOutput()
	if err != nil {
		b.t.Fatalf("%s: %v: %s", script, err, out)
	}
	return string(out)
}

func (b *bench) run(env ...string) (string, error) {
	b.t.Helper()
	command := exec.Command(b.path("scripts/make-generic-kernel.sh"))
	command.Env = append(append(os.Environ(), b.env...), env...)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (b *bench) mustFail(want string, env ...string) {
	b.t.Helper()
	out, err := b.run(env...)
	if err == nil || !strings.Contains(out, want) {
		b.t.Errorf("got %v, %s, want ... %s", err, out, want)
	}
	if _, err := os.Stat(b.path("build/manual")); !os.IsNotExist(err) {
		b.t.Errorf("leaves something that looks like a kernel: %v", err)
	}
}

func (b *bench) local() string { return "KERNEL_TARBALL=" + b.path("source.tar.xz") }

func TestBuild(t *testing.T) {
	b := newBench(t)
	b.write("base.config", "CONFIG_FROM_BASE=y\n")
	out, err := b.run(b.local(), "KERNEL_CONFIG="+b.path("base.config"), "MAKEFLAGS=-n", "KBUILD_BUILD_USER=somebody")
	if err != nil {
		t.Fatal(out)
	}
	config := b.read("build/manual/generic-6.12/config")
	if !strings.Contains(config, "CONFIG_FROM_BASE=y\n") || !strings.Contains(config, "CONFIG_WANTED=y\n") {
		t.Errorf("config is %s", config)
	}
	vmlinux := b.read("build/manual/generic-6.12/vmlinux")
	if want := "Tue Nov 14 22:13:20 UTC 2023 banger@banger 1 x86_64"; !strings.Contains(vmlinux, want) {
		t.Errorf("the build was not told %q", want)
	}
	if strings.Contains(vmlinux, ".debug_info") || strings.Contains(vmlinux, ".symtab") {
		t.Error("vmlinux is not stripped")
	}
	b.shell("mv build first")
	if out, err := b.run(b.local(), "KERNEL_CONFIG="+b.path("base.config"), "WORK="+b.path("a/longer/way"), "TZ=Asia/Tokyo"); err != nil {
		t.Fatal(out)
	}
	b.shell("diff -r first/manual build/manual")
}

func TestFallsBack(t *testing.T) {
	b := newBench(t)
	out, err := b.run(b.local())
	if err != nil || !strings.Contains(out, "Firecracker's cannot be had, so the kernel's own defconfig") {
		t.Fatalf("got %v, %s", err, out)
	}
	config := b.read("build/manual/generic-6.12/config")
	if !strings.Contains(config, "CONFIG_FROM_DEFCONFIG=y\nCONFIG_FROM_KVM_GUEST=y\n") {
		t.Errorf("config is %s", config)
	}
}

func TestOptionsThatDoNotTake(t *testing.T) {
	b := newBench(t)
	b.write("configs/generic.fragment", "CONFIG_WANTED=y\nCONFIG_UNKNOWN=y\n# CONFIG_FROM_DEFCONFIG is not set\n")
	b.mustFail("did not take:\n  CONFIG_UNKNOWN=y\n  # CONFIG_FROM_DEFCONFIG is not set\n", b.local())
}

func TestRefuses(t *testing.T) {
	b := newBench(t)
	b.mustFail("with KERNEL_TARBALL=FILE it comes from a file")
	b.shell(`cp source.tar.xz served/linux-$(sed -n s,^version=,,p scripts/make-generic-kernel.sh).tar.xz`)
	b.mustFail("no signature of the source")
	b.write("served/microvm-kernel-ci-x86_64-6.1.config", "CONFIG_FROM_ELSEWHERE=y\n")
	b.mustFail("its SHA-256 is not the pinned one", b.local())
	b.shell("rm source/Kconfig && tar -cJf source.tar.xz source")
	b.mustFail("there is no kernel's source in it", b.local())
}

func TestSignature(t *testing.T) {
	b := newBench(t, "gpg", "gpgconf")
	version := strings.TrimSpace(b.shell(`sed -n 's/^version=//p' scripts/make-generic-kernel.sh`))
	b.shell(`
		export GNUPGHOME=$PWD/gnupg
		trap 'gpgconf --kill all' EXIT
		mkdir -m 700 gnupg
		gpg --batch --quiet --passphrase '' --quick-generate-key one@example.org ed25519 sign never
		gpg --batch --export > keys
		xz -dc source.tar.xz | gpg --batch --detach-sign > served/linux-` + version + `.tar.sign
		cp source.tar.xz served/linux-` + version + `.tar.xz
		gpg --batch --with-colons --list-keys | sed -n 's/^fpr:*\([0-9A-F]*\):/\1/p' > fingerprint`)
	keys := "KERNEL_KEYS=" + b.path("keys")
	b.mustFail("who is no signer of kernel.org's releases", keys)

	fingerprint := strings.TrimSpace(b.read("fingerprint"))
	script := b.read("scripts/make-generic-kernel.sh")
	b.write("scripts/make-generic-kernel.sh", strings.Replace(script, "647F28654894E3BD457199BE38DBBDC86092693E", fingerprint, 1))
	b.shell("rm -r build; echo CHANGED=1 >> source/Makefile; tar -cJf served/linux-" + version + ".tar.xz source")
	b.mustFail("the signature is not good", keys)

	b.shell("rm -r build; cp source.tar.xz served/linux-" + version + ".tar.xz")
	if out, err := b.run(keys); err != nil || !strings.Contains(out, "is signed by gregkh@kernel.org") {
		t.Errorf("got %v, %s", err, out)
	}
}
