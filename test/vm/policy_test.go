package vm

import (
	"bufio"
	"context"
	"strings"
	"testing"
)

// What is denied is refused, with a line and the rule; a change is at once and
// stays.
func TestPolicy(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ok("vm", "run", "--image", "debian", "--name", "box", "--allow", "allowed.test", "--", "true")
	const connect = `use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => "192.0.2.7:80", Timeout => 120) or print $@`
	if got := h.ok("vm", "exec", "box", "--", "perl", "-e", connect); !strings.Contains(got, "refused") {
		t.Errorf("the guest met %q", got)
	}
	h.ok("vm", "policy", "box", "--egress", "all", "--deny", "192.0.2.0/24")
	h.ok("vm", "exec", "box", "--", "perl", "-e", connect)
	log := h.ok("vm", "logs", "box", "--network")
	for _, rule := range []string{"egress none", "deny 192.0.2.0/24"} {
		if !strings.Contains(log, "denied tcp 192.0.2.7:80 [] by "+rule+"\n") {
			t.Errorf("the log has %q, and not %q", log, rule)
		}
	}
	if got := h.ok("vm", "policy", "box", "--check", "192.0.2.7:80"); got != "denied by deny 192.0.2.0/24\n" {
		t.Errorf("got %q", got)
	}
	h.stop("box")
	h.ok("vm", "policy", "box", "--replace", "--egress", "public", "--allow", "b.test", "--allow", "c.test")
	h.ok("vm", "policy", "box", "--remove", "c.test")
	h.fails("is not there", "vm", "policy", "box", "--remove", "d.test")
	h.ok("vm", "start", "box")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	follow := h.command(ctx, "vm", "logs", "box", "--network", "-f")
	out, err := follow.StdoutPipe()
	h.must(err)
	h.must(follow.Start())
	h.ok("vm", "exec", "box", "--", "perl", "-e", strings.ReplaceAll(connect, "192.0.2.7", "10.255.255.1"))
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			t.Error("the log ends")
			break
		}
		if strings.HasSuffix(lines.Text(), "denied tcp 10.255.255.1:80 [] by egress public") {
			break
		}
	}
	cancel()
	follow.Wait()
	if got := h.ok("vm", "policy", "box"); strings.Contains(got, "c.test") || !strings.Contains(got, "b.test") || strings.Contains(got, "192.0.2") {
		t.Errorf("the policy is %q", got)
	}
	h.ok("vm", "rm", "--force", "box")
}
