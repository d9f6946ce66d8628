package vm

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A run takes a directory along, and brings home what its command changed there.
func TestRunSyncBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := filepath.Join(t.TempDir(), "project")
	p := &synced{host: h, dir: dir}
	h.must(os.Mkdir(dir, 0o755))
	git(t, dir, "init", "-q")
	for _, name := range []string{"same", "changed", "removed", "both"} {
		p.write(name, name)
	}
	run := func(status int, script string, flags ...string) result {
		t.Helper()
		args := append([]string{"vm", "run", "--image", "debian", "--sync-back"}, flags...)
		r := h.banger(append(args, dir, "--", "sh", "-ec", script)...)
		if r.code != status {
			t.Fatalf("%+v", r)
		}
		return r
	}
	t.Run("the first time", func(t *testing.T) {
		run(7, `[ -d .git ]; echo -n more >>changed; rm removed; mkdir new; echo -n x >new/file
			echo evil >.git/hooks/pre-commit; exit 7`, "--name", "box")
		if p.read("changed") != "changedmore" || p.read("removed") != "none" || p.read("new/file") != "x" || p.read("same") != "same" {
			t.Errorf("there are %q, %q, %q, %q", p.read("changed"), p.read("removed"), p.read("new/file"), p.read("same"))
		}
		if _, err := os.Lstat(filepath.Join(dir, ".git/hooks/pre-commit")); err == nil {
			t.Error("there is a hook of the guest's")
		}
		p.want("", "vm", "sync", "box", dir)
	})
	t.Run("again", func(t *testing.T) {
		// What was synced a moment before the plug is pulled is on the guest's disk.
		h.ok("vm", "exec", "box", "--", "sh", "-c", "echo -n more >>project/same")
		h.ok("vm", "sync", "--pull", "box", dir)
		h.ok("vm", "kill", "box")
		p.write("changed", "by the host")
		p.must(os.Remove(filepath.Join(dir, "new/file")))
		run(0, `[ "$(cat changed)" = "by the host" ]; [ ! -e new ]; [ "$(cat same)" = samemore ]; echo -n once more >same`, "--name", "box", "--reuse")
		if p.read("same") != "once more" {
			t.Errorf("there is %q", p.read("same"))
		}
	})
	// The file changes here when the command has said that it has begun.
	t.Run("never over what changed here", func(t *testing.T) {
		r := h.whileItRuns(func() { p.write("both", "ours") },
			"vm", "run", "--image", "debian", "--name", "box", "--reuse", "--sync-back", dir, "--", "sh", "-ec", "echo -n theirs >both; echo begun; cat")
		if r.code != 125 || !strings.Contains(r.stderr, "1 files changed on both sides") || p.read("both") != "ours" {
			t.Errorf("%+v, and there is %q", r, p.read("both"))
		}
	})
	h.ok("vm", "rm", "--force", "box")
	t.Run("in a VM that goes", func(t *testing.T) {
		r := h.whileItRuns(func() { p.write("both", "ours again") },
			"vm", "run", "--image", "debian", "--rm", "--sync-back", dir, "--", "sh", "-ec", "echo -n theirs >both; echo -n fine >same; echo begun; cat")
		_, rest, _ := strings.Cut(r.stderr, "what the vm had is in ")
		file, _, _ := strings.Cut(rest, ",")
		patch, err := os.ReadFile(file)
		if r.code != 125 || p.read("both") != "ours again" || p.read("same") != "fine" || err != nil || !strings.Contains(string(patch), "+theirs") {
			t.Errorf("%+v: %q, %q, %v: %s", r, p.read("both"), p.read("same"), err, patch)
		}
		os.Remove(file)
	})
	h.wantNothingLeft()
}

// whileItRuns runs a command, and does something when that has printed a line; then
// the command's input ends.
func (h *host) whileItRuns(do func(), args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := h.command(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	h.must(err)
	stdout, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	if err == nil {
		do()
	}
	stdin.Close()
	rest, _ := io.ReadAll(out)
	cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), line + string(rest), stderr.String()}
}
