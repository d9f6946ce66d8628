// Package golden holds the test of the golden image from its beginning to its
// use, scripts/test-golden.sh, which is a few minutes' work.
package golden

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestGolden(t *testing.T) {
	if os.Getenv("BANGER_TEST_HOME") == "" {
		t.Skip("needs BANGER_TEST_HOME: run make test")
	}
	if why := noBuilder(); why != "" {
		t.Skip("needs docker, podman or buildah: ", why)
	}
	for _, program := range []string{"mmdebstrap", "rclone", "zstd", "jq", "busybox"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs ", program)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts/test-golden.sh"))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// noBuilder says why no Dockerfile can be built here, or "".
func noBuilder() string {
	for _, program := range []string{"docker", "podman"} {
		if exec.Command(program, "version").Run() == nil {
			return ""
		}
	}
	out, err := exec.Command("buildah", "from", "scratch").CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return err.Error() + ": " + text
	}
	if err := exec.Command("buildah", "rm", text).Run(); err != nil {
		return err.Error()
	}
	return ""
}
