package devfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"banger/internal/secret"
	"banger/internal/usernet/policy"
)

// Asks lists what a file asks for beyond the sandbox, which a stranger's, or one
// that a guest's program has changed, is not to have unseen. configured is what VMs
// reach otherwise.
func (s Spec) Asks(configured policy.Settings) (asks []string) {
	add := func(format string, args ...any) { asks = append(asks, fmt.Sprintf(format, args...)) }
	if s.HostLoopback {
		add("the guest reaches the services on this host's loopback")
	}
	if s.SSHAgent {
		add("programs in the guest use your SSH agent")
	}
	egress := configured.Egress
	switch {
	case egress != "":
	case len(configured.Allow) > 0:
		egress = policy.None
	default:
		egress = policy.All
	}
	if width[s.Policy.Egress] > width[egress] {
		add("the guest reaches %q, where the configuration says %q", s.Policy.Egress, egress)
	}
	if len(s.Policy.Allow) > 0 && egress != policy.All {
		add("the guest reaches %s", strings.Join(s.Policy.Allow, ", "))
	}
	for _, m := range s.Mounts {
		switch _, err := s.within(m.Source); {
		case !m.ReadOnly:
			add("the guest changes what is in %s of this host", m.Source)
		case err != nil:
			add("the guest reads what is in %s of this host", m.Source)
		}
	}
	for _, v := range s.Volumes {
		add("the guest has the volume %s", v)
	}
	for _, given := range s.Secrets {
		what := "your variable " + given.Name
		if given.From == secret.FromFile {
			what = "what is in " + given.File
		}
		add("requests of the guest to %s have %s", given.Hostnames(), what)
	}
	for _, port := range s.Ports {
		if !port.HostIP.IsLoopback() {
			add("port %d of the host is open on %s", port.HostPort, port.HostIP)
		}
	}
	if s.Build != nil {
		add("docker, podman or buildah builds %s (%.12s) on this host", s.Build.Dockerfile, s.Build.digest)
	}
	for _, name := range s.hostEnv {
		add("the guest has the host's variable %s", name)
	}
	return asks
}

// width orders what a guest may reach.
var width = map[string]int{policy.None: 1, policy.Public: 2, policy.All: 3}

// AgreementKey names an agreement: that this project may have all of asks. Another
// project's, or more, is another agreement.
func (s Spec) AgreementKey(asks []string) string {
	sum := sha256.New()
	for _, part := range append([]string{s.Dir}, asks...) {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
