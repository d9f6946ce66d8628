package vm

import (
	"strings"
	"testing"
)

// What is denied is refused, with a line and the rule; a change is at once and
// stays.
func TestPolicy(t *testing.T) {
	h := newHost(t)
	h.ok("vm", "run", "--image", "debian", "--name", "box", "--allow", "allowed.test", "--", "true")
	const connect = `use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => "192.0.2.7:80", Timeout => 30) or print $@`
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
	h.ok("vm", "rm", "--force", "box")
}
