package vm

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// allTalk is what testdata/talk says where all of it works.
const allTalk = `http 1: HTTP/1.1
http 2: HTTP/2.0
websocket: said again
datagrams: said again
half closed: hello
much there: the same
much back: the same
much by http 2: the same
`

// What 1,000 connections may have the supervisor take, in KiB.
const mostWithConnections = 44 << 10

// All kinds of talk by each way that leads into a guest, out of one and between two;
// and many connections at once.
func TestMatrix(t *testing.T) {
	h := newHost(t)
	talk := h.talkProgram()
	h.ok("network", "create", "lab")
	h.ok("vm", "run", "--image", "debian", "--name", "box", "--network", "lab", "--host-loopback",
		"-p", "0:7000", "-p", "[::1]::7001", "-p", "0:7002/udp", "--", "true")
	h.ok("vm", "run", "--image", "debian", "--memory", "256M", "--name", "peer", "--network", "lab", "--", "true")
	for _, name := range []string{"box", "peer"} {
		h.ok("vm", "cp", talk, name+":/root/talk")
		h.ok("vm", "exec", name, "--", "/root/talk", "serve", ":7000", ":7001", ":7002")
	}
	ways := h.openPorts("box")
	t.Run("into the guest", func(t *testing.T) {
		out, err := exec.Command(talk, "ask", ways[7000].String(), ways[7001].String(), ways[7002].String()).CombinedOutput()
		if string(out) != allTalk || err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for from, to := range map[string]string{"box": "peer", "peer": "box.banger.internal"} {
		h.wantTalk(from, to+":7000", to+":7001", to+":7002")
	}
	var outside []string
	for _, at := range serveTalk(t, talk) {
		outside = append(outside, strings.Replace(at, "127.0.0.1", "host.banger.internal", 1))
	}
	h.wantTalk("box", outside...)
	t.Run("many connections", func(t *testing.T) { testManyConnections(t, h, talk, ways[7001].String()) })
	for _, name := range []string{"box", "peer"} {
		h.ok("vm", "rm", "--force", name)
	}
	h.ok("network", "rm", "lab")
	h.wantNothingLeft()
}

// wantTalk fails where not all works from a guest.
func (h *host) wantTalk(from string, addresses ...string) {
	h.t.Helper()
	args := append([]string{"vm", "exec", from, "--", "/root/talk", "ask"}, addresses...)
	if r := h.banger(args...); r.stdout != allTalk {
		h.t.Errorf("%s hears from %s: %s%s", from, addresses, r.stdout, r.stderr)
	}
}

// serveTalk serves on the host's loopback, and returns where.
func serveTalk(t *testing.T, talk string) (addresses []string) {
	t.Helper()
	const free = "127.0.0.1:0"
	out, err := exec.Command(talk, "serve", free, free, free).Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) != 4 {
		t.Fatalf("%q, %v", out, err)
	}
	pid, err := strconv.Atoi(fields[3])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	return fields[:3]
}

// talkProgram is testdata/talk, for the host and to be copied.
func (h *host) talkProgram() string {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "talk")
	h.must(os.WriteFile(path, []byte(h.programOf("talk")), 0o755))
	return path
}

func testManyConnections(t *testing.T, h *host, talk, way string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, talk, "hold", way, "1000", "200")
	in, err := cmd.StdinPipe()
	h.must(err)
	out, err := cmd.StdoutPipe()
	h.must(err)
	cmd.Stderr = os.Stderr
	h.must(cmd.Start())
	lines := bufio.NewReader(out)
	says := func(want string) {
		t.Helper()
		if line, err := lines.ReadString('\n'); line != want {
			t.Errorf("it says %q, %v; want %q", line, err, want)
		}
	}
	says("1000 idle\n")
	if got := memory(t, h.supervisorPID(), "VmRSS"); got > mostWithConnections {
		t.Errorf("the supervisor takes %d KiB", got)
	} else {
		t.Logf("the supervisor takes %d KiB", got)
	}
	io.WriteString(in, "now\n")
	says("200 busy\n")
	if got := h.ok("vm", "exec", "box", "echo", "here"); got != "here\n" {
		t.Errorf("got %q", got)
	}
	in.Close()
	io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
