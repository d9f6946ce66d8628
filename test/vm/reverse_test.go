package vm

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh/agent"
)

// A program in the guest gets the caller's SSH agent, as whichever user it runs,
// and while it runs.
func TestSSHAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	h.must(err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(agent.NewKeyring(), conn)
		}
	}()
	h.env = append(h.env, "SSH_AUTH_SOCK="+socket)
	// Ask twice for the keys, of which there are none.
	const list = `use Socket; for (1..2) { socket(S, AF_UNIX, SOCK_STREAM, 0) and connect(S, sockaddr_un($ENV{SSH_AUTH_SOCK})) or die $!;
		syswrite S, "\0\0\0\1\x0b"; my $got = ""; while (length $got < 9) { sysread(S, $got, 9 - length $got, length $got) or die } print unpack("H*", $got), "\n" }`
	const none = "000000050c00000000\n"
	if got := h.ok("vm", "run", "-A", "--image", "debian", "--name", "box", "--", "perl", "-e", list); got != none+none {
		t.Errorf("the guest's root hears %q", got)
	}
	if got := h.ok("vm", "exec", "-A", "-u", "nobody", "box", "--", "sh", "-c", "perl -e '"+list+"'; ls /run/banger"); !strings.HasPrefix(got, none+none+"agent-") {
		t.Errorf("nobody hears %q", got)
	}
	for deadline := time.Now().Add(patience); h.ok("vm", "exec", "box", "--", "find", "/run/banger", "-name", "agent-*") != ""; {
		if time.Now().After(deadline) {
			t.Fatal("the socket stays")
		}
	}
	if got := h.ok("vm", "exec", "box", "--", "sh", "-c", "echo $SSH_AUTH_SOCK"); got != "\n" {
		t.Errorf("a program that is not to have it has %q", got)
	}

	server, err := net.Listen("tcp", "127.0.0.1:0")
	h.must(err)
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				all, _ := io.ReadAll(conn)
				conn.Write([]byte(strings.ToUpper(string(all))))
				conn.Close()
			}()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	forward := h.command(ctx, "vm", "forward", "box", fmt.Sprintf("%d:4242", server.Addr().(*net.TCPAddr).Port), "--reverse")
	said, err := forward.StderrPipe()
	h.must(err)
	h.must(forward.Start())
	if line, err := bufio.NewReader(said).ReadString('\n'); !strings.Contains(line, "127.0.0.1:4242 in vm box leads to 127.0.0.1:") {
		t.Fatalf("vm forward says %q, %v", line, err)
	}
	const ask = `use IO::Socket::INET; my $s = IO::Socket::INET->new("127.0.0.1:4242") or die $@; print $s "hello"; $s->flush; shutdown $s, 1; print <$s>`
	if got := h.ok("vm", "exec", "box", "--", "perl", "-e", ask); got != "HELLO" {
		t.Errorf("the guest hears %q from the host's port", got)
	}
	if got := h.ok("vm", "port", "box", "--guest"); !strings.Contains(got, "4242  127.0.0.1") || !strings.Contains(got, "agent") {
		t.Errorf("the guest listens on\n%s", got)
	}
	cancel()
	forward.Wait()
	h.ok("vm", "rm", "--force", "box")
}
