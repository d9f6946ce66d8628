package vm

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// agentOf is an agent that uses a server's tools.
type agentOf struct {
	t *testing.T
	*mcp.ClientSession
}

// serveMCP starts a server with the flags, and an agent of it.
func (h *host) serveMCP(flags ...string) (*exec.Cmd, agentOf) {
	h.t.Helper()
	cmd := h.command(h.t.Context(), append([]string{"mcp", "--image", "debian"}, flags...)...)
	cmd.Stderr = os.Stderr
	s, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(h.t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	h.must(err)
	return cmd, agentOf{h.t, s}
}

// says calls a tool whose answer has to have the text in it.
func (a agentOf) says(text, tool string, args map[string]any) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	r, err := a.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		a.t.Fatalf("%s %v: %v", tool, args, err)
	}
	got := r.Content[0].(*mcp.TextContent).Text
	if !strings.Contains(got, text) {
		a.t.Errorf("%s %v: got %.500q, want %q", tool, args, got, text)
	}
	return got
}

type args = map[string]any

// An agent mends a project: it looks at it, runs its tests, edits, serves it and
// brings the patch home.
func TestMCP(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	project := filepath.Join(t.TempDir(), "project")
	h.must(os.Mkdir(project, 0o755))
	h.must(os.WriteFile(filepath.Join(project, "add.sh"), []byte("echo $(($1 - $2))\n"), 0o644))
	h.must(os.WriteFile(filepath.Join(project, "test.sh"), []byte("[ \"$(sh add.sh 2 3)\" = 5 ] && echo PASS\n"), 0o755))
	_, a := h.serveMCP("--host-dir", project, "--egress", "none")

	a.says("add.sh", "list_files", nil)
	a.says("[exit status 1]", "run", args{"command": "./test.sh"})
	a.says("add.sh:1:", "search_files", args{"pattern": `\$1 -`})
	a.says("replaced 1", "edit_file", args{"path": "add.sh", "old": "-", "new": "+"})
	a.says("PASS\n\n[exit status 0]", "run", args{"command": "./test.sh"})
	home := a.says("", "download", args{"path": "add.sh"})
	if patch, err := base64.StdEncoding.DecodeString(home); err != nil || string(patch) != "echo $(($1 + $2))\n" {
		t.Errorf("brought home %q, %v", patch, err)
	}
	if kept, _ := os.ReadFile(filepath.Join(project, "add.sh")); !strings.Contains(string(kept), "-") {
		t.Error("the host's own file was changed")
	}
	t.Run("one sandbox", func(t *testing.T) {
		if all := h.vmFiles(); len(all) != 1 {
			t.Errorf("there are %q", all)
		}
	})
	t.Run("a server of the guest's", func(t *testing.T) {
		a.says("background", "run", args{"background": true, "command": `exec perl -MIO::Socket::INET -e '
			$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 80, Listen => 1) or die; $| = 1; print "ready\n";
			while ($c = $s->accept) { while (<$c>) { last if /^\r/ } print $c "HTTP/1.0 200 OK\r\n\r\nserved\n"; close $c }'`})
		a.says("ready", "run", args{"command": "until perl -MIO::Socket::INET -e 'IO::Socket::INET->new(\"127.0.0.1:80\") or exit 1'; do :; done; echo ready"})
		address, _, _ := strings.Cut(a.says("leads to port 80", "forward_port", args{"port": 80}), " ")
		answer, err := http.Get(fmt.Sprintf("http://%s/", address))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, _ := io.ReadAll(answer.Body); string(body) != "served\n" {
			t.Errorf("got %q", body)
		}
		a.says("ready\n", "output", args{"id": 1})
		a.says("[ended", "kill", args{"id": 1})
	})
	t.Run("a hostile guest", func(t *testing.T) {
		got := a.says("bytes left out", "run", args{"command": "head -c 3000000 /dev/urandom"})
		if !utf8.ValidString(got) || len(got) > 1<<20 {
			t.Errorf("%d bytes came", len(got))
		}
		a.says("longer than 2s", "run", args{"command": "exec cat /dev/zero", "timeout": 2})
		a.says("larger than", "download", args{"path": "/dev/zero"})
		a.says("still here", "run", args{"command": "echo still here"})
	})
	t.Run("the console", func(t *testing.T) {
		name, _, _ := strings.Cut(a.says("(current)", "sandbox_list", nil), ":")
		r, err := a.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "banger://sandbox/" + name + "/console"})
		if err != nil || r.Contents[0].Text == "" {
			t.Errorf("got %v, %v", r, err)
		}
	})
	a.says("has ended", "run", args{"command": "true", "sandbox": a.endItself()})
	h.must(a.Close())
	h.wantNothingLeft()
}

// An agent does a whole task: it uploads a repository, installs a package, runs the
// tests, keeps what it has before a risky step, goes back, tries its change in a copy,
// and brings a patch home.
func TestMCPTask(t *testing.T) {
	h := newHost(t)
	repository := map[string]string{"sum.sh": "echo $(($1 - $2))\n", "test.sh": "[ \"$(sh sum.sh 2 3)\" = 5 ] && echo PASS || { echo FAIL; exit 1; }\n"}
	home := filepath.Join(t.TempDir(), "home")
	h.must(os.Mkdir(home, 0o755))
	for name, text := range repository {
		h.must(os.WriteFile(filepath.Join(home, name), []byte(text), 0o644))
	}
	var all bytes.Buffer
	w := tar.NewWriter(&all)
	h.must(w.AddFS(os.DirFS(home)))
	h.must(w.Close())
	_, a := h.serveMCP("--egress", "none", "--max-sandboxes", "2")
	upload := func(path string, data []byte) {
		a.says("bytes are in", "upload", args{"path": path, "base64": base64.StdEncoding.EncodeToString(data)})
	}

	upload("/tmp/repository.tar", all.Bytes())
	upload("/tmp/tests.deb", debWith(t, "runtests", "#!/bin/sh\nexec sh test.sh\n"))
	a.says("[exit status 0]", "run", args{"command": "mkdir work && tar -C work -xf /tmp/repository.tar && cp -a work before && dpkg -i /tmp/tests.deb"})
	a.says("FAIL\n\n[exit status 1]", "run", args{"command": "runtests", "dir": "work"})

	snapshot, _, _ := strings.Cut(strings.TrimPrefix(a.says("is of sandbox", "snapshot_create", nil), "snapshot "), " ")
	a.says("[exit status 127]", "run", args{"command": "dpkg -r runtests && rm -r work/*; runtests", "dir": "work"})
	a.says("takes the place of", "snapshot_restore", args{"snapshot": snapshot})
	a.says("FAIL\n\n[exit status 1]", "run", args{"command": "runtests", "dir": "work"})

	fork := strings.Fields(a.says("is a copy of", "sandbox_fork", nil))[1]
	a.says("replaced 1", "edit_file", args{"path": "work/sum.sh", "old": "-", "new": "+", "sandbox": fork})
	a.says("PASS", "run", args{"command": "runtests", "dir": "work", "sandbox": fork})
	a.says("FAIL", "run", args{"command": "runtests", "dir": "work"}) // where it was not tried
	a.says("[exit status 1]", "run", args{"command": "diff -ru before work >change.patch", "sandbox": fork})
	patch, err := base64.StdEncoding.DecodeString(a.says("", "download", args{"path": "change.patch", "sandbox": fork}))
	h.must(err)
	apply := exec.Command("git", "apply", "-p1")
	apply.Dir, apply.Stdin = home, bytes.NewReader(patch)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("apply %s: %v, %s", patch, err, out)
	}
	if got, err := os.ReadFile(filepath.Join(home, "sum.sh")); err != nil || string(got) != "echo $(($1 + $2))\n" {
		t.Errorf("brought home %q, %v", got, err)
	}
	h.must(a.Close())
	h.wantNothingLeft()
	if left := h.ok("vm", "snapshot", "list", "-q"); left != "" {
		t.Errorf("snapshots are left: %s", left)
	}
}

// debWith makes a package with one program.
func debWith(t *testing.T, program, text string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"DEBIAN/control":     "Package: " + program + "\nVersion: 1\nArchitecture: all\nMaintainer: test <test@localhost>\nDescription: test\n",
		"usr/bin/" + program: text,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	made := filepath.Join(t.TempDir(), "made.deb")
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-b", dir, made).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v, %s", err, out)
	}
	data, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// endItself has the current sandbox's guest power itself off, and returns its name
// when it is gone.
func (a agentOf) endItself() string {
	a.t.Helper()
	name, _, _ := strings.Cut(a.says("(current)", "sandbox_list", nil), ":")
	a.says("is down", "sandbox_stop", args{"sandbox": name})
	return name
}

// A server that is killed takes its sandbox along.
func TestMCPServerKilled(t *testing.T) {
	h := newHost(t)
	cmd, a := h.serveMCP()
	a.says("[exit status 0]", "run", args{"command": "true"})
	pid := fmt.Sprint(h.show(h.vmFiles()[0]).State.VMMPID)
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	h.must(err)
	var supervisor int
	_, err = fmt.Sscan(strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[1], &supervisor)
	h.must(err)
	fd, err := pidfd(supervisor)
	h.must(err)
	h.must(cmd.Process.Kill())
	awaitEnd(t, fd)
	a.Close()
	h.wantNothingLeft()
}
