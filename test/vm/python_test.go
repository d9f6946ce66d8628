package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// python has the programs of the environment that scripts/python.sh makes.
type python struct {
	h    *host
	bin  string
	tree string // of the client
	env  []string
}

// newPython starts a server, and skips where there is no such environment.
func newPython(t *testing.T) *python {
	t.Helper()
	tree, err := filepath.Abs("../../clients/python")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(tree, "../../build/venv/bin")
	if _, err := os.Stat(filepath.Join(bin, "pytest")); err != nil {
		t.Skip("needs Python's packages in build/venv: make test-python gets them")
	}
	h := newHost(t)
	h.env = append(h.env, "BANGER_IMAGE=debian")
	socket := filepath.Join(t.TempDir(), "api.sock")
	cmd := h.command(t.Context(), "serve", "--socket", socket)
	stderr, err := cmd.StderrPipe()
	h.must(err)
	h.must(cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	awaitText(t, stderr, "serving at")
	return &python{h, bin, tree, append(h.command(t.Context()).Env, "BANGER_API_SOCKET="+socket, "PYTHONDONTWRITEBYTECODE=1")}
}

func (p *python) run(t *testing.T, stdin, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.Env, cmd.Stdin = p.tree, p.env, strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
}

// The Python client is of this server, typed, and does what it is for.
func TestPython(t *testing.T) {
	p := newPython(t)
	p.run(t, p.h.ok("serve", "--openapi"), "python", "generate.py", "--check")
	p.run(t, "", "mypy", "--strict", "--cache-dir", t.TempDir())
	p.run(t, "", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/test_client.py")
	p.h.wantNothingLeft()
}

// It does what its README says. Each example boots a guest of its own.
func TestPythonReadme(t *testing.T) {
	if os.Getenv("BANGER_TEST_EXAMPLES") == "" {
		t.Skip("takes minutes: make test-python runs it")
	}
	p := newPython(t)
	p.run(t, "", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/test_readme.py")
	p.h.wantNothingLeft()
}
