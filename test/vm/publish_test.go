package vm

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The whole way of a kernel: a maintainer imports and publishes it, a banger
// built with the new catalog offers it, its user pulls it and boots a guest.
func TestPublishedKernel(t *testing.T) {
	for _, program := range []string{"rclone", "jq", "curl", "zstd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("publishing needs %s: %v", program, err)
		}
	}
	maintainer := emptyHost(t)
	name, version := maintainer.importKernel()
	bucket := filepath.Join(t.TempDir(), "bucket")
	maintainer.must(os.Mkdir(bucket, 0o755))
	source := maintainer.copySource()
	maintainer.publish(name, filepath.Join(source, "internal/kernelcat/catalog.json"), bucket, maintainer.serveBucket(bucket))

	user := emptyHost(t)
	user.bin = maintainer.build(source)
	if out := user.ok("kernel", "list", "--available"); !strings.Contains(out, name+" ") || !strings.Contains(out, "for tests") {
		t.Errorf("kernel list --available says %q", out)
	}
	user.ok("kernel", "pull", name)
	user.ok("kernel", "verify", name)
	user.ok("image", "register", "--name", "published", "--kernel-ref", name,
		"--rootfs", filepath.Join(os.Getenv("BANGER_TEST_HOME"), ".local/state/banger/images/debian/rootfs.ext4"))
	if out := user.ok("vm", "run", "--rm", "--image", "published", "--", "uname", "-r"); out != version+"\n" {
		t.Errorf("the guest runs %q, want %q", out, version)
	}
	user.fails(name+`" is needed by image published`, "kernel", "rm", name)
}

// importKernel imports the generic kernel that make kernel left, or else
// Debian's, and returns its name and version.
func (h *host) importKernel() (name, version string) {
	h.t.Helper()
	name, distro, from := "debian-6.1", "debian", filepath.Join(os.Getenv("BANGER_TEST_HOME"), ".local/state/banger/kernels/debian")
	if built, _ := filepath.Glob(filepath.Join(rootOfTree(h.t), "build/manual/generic-*/vmlinux")); len(built) > 0 {
		from, distro = filepath.Dir(built[0]), "generic"
		name = filepath.Base(from)
	}
	h.t.Logf("publishing %s from %s", name, from)
	h.ok("kernel", "import", name, "--from", from, "--distro", distro)
	shown := h.ok("kernel", "show", name)
	match := regexp.MustCompile(`(?m)^Version: +(.*)$`).FindStringSubmatch(shown)
	if match == nil {
		h.t.Fatalf("kernel show says %q", shown)
	}
	return name, match[1]
}

// rootOfTree returns the path of banger's source.
func rootOfTree(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// copySource returns a copy of what banger is built of.
func (h *host) copySource() string {
	h.t.Helper()
	dir := h.t.TempDir()
	args := []string{"-r", "../../go.mod", "../../go.sum", "../../cmd", "../../internal", dir}
	h.must(exec.Command("cp", args...).Run())
	return dir
}

func (h *host) build(source string) (bin string) {
	h.t.Helper()
	bin = filepath.Join(source, "banger")
	cmd := exec.Command(filepath.Join(rootOfTree(h.t), "scripts/go.sh"), "build", "-trimpath", "-o", bin, "./cmd/banger")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// serveBucket serves a directory as the public would see it, and returns its
// URL.
func (h *host) serveBucket(dir string) string {
	h.t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	h.t.Cleanup(server.Close)
	return server.URL
}

func (h *host) publish(name, catalog, bucket, url string) {
	h.t.Helper()
	cmd := exec.Command("../../scripts/publish-kernel.sh", name, "--description", "for tests")
	cmd.Env = append(os.Environ(),
		"BANGER="+os.Getenv("BANGER_TEST_BIN"), "CATALOG="+catalog,
		"BANGER_KERNELS_DIR="+filepath.Join(h.home, ".local/state/banger/kernels"),
		"RCLONE_REMOTE=store", "RCLONE_CONFIG_STORE_TYPE=local", "RCLONE_CONFIG="+filepath.Join(h.home, "rclone.conf"),
		"RCLONE_BUCKET="+bucket, "BASE_URL="+url, "no_proxy=*")
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), fmt.Sprintf("git commit -m \"kernelcat: publish %s", name)) {
		h.t.Errorf("the script ends with %q", out)
	}
}
