package jail

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestConfine(t *testing.T) {
	if landlockVersion() < 2 {
		t.Skip(ErrNoLandlock)
	}
	top := t.TempDir()
	program := filepath.Join(top, "confined")
	tool, err := filepath.Abs("../../scripts/go.sh")
	if err == nil {
		_, err = os.Stat(tool)
	}
	if err != nil {
		t.Skip("needs the source tree: ", err)
	}
	build := exec.Command(tool, "build", "-o", program, "./testdata/confined")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as banger is
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir, other := filepath.Join(top, "dir"), filepath.Join(top, "other")
	for _, path := range []string{filepath.Join(dir, "sub"), other} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir, other} {
		if err := os.WriteFile(filepath.Join(path, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for flag, can := range map[string]string{"-r=false": "dial read write move", "-r": "dial read"} {
		out, err := exec.Command(program, flag, dir, other).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		checkCan(t, flag, string(out), strings.Fields(can))
	}
}

// checkCan compares what a program could do with what it is to. That it cannot dial,
// it says by true.
func checkCan(t *testing.T, flag, out string, can []string) {
	t.Helper()
	for line := range strings.Lines(out) {
		what, is, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if what == "dial" && landlockVersion() < 4 {
			continue
		}
		if want := strconv.FormatBool(slices.Contains(can, what)); is != want {
			t.Errorf("%q: %s is %s", flag, what, is)
		}
	}
}
