package policy

import (
	"net/netip"
	"strings"
	"testing"
)

// settings reads "egress +allowed -denied ...".
func settings(text string) (s Settings) {
	for _, word := range strings.Fields(text) {
		switch word[0] {
		case '+':
			s.Allow = append(s.Allow, word[1:])
		case '-':
			s.Deny = append(s.Deny, word[1:])
		default:
			s.Egress = word
		}
	}
	return s
}

func TestConnection(t *testing.T) {
	for _, tt := range []struct {
		settings, to, names string
		allowed             bool
		rule                string
	}{
		// Where no rule speaks.
		{"", "1.1.1.1:80", "", true, "egress all"},
		{"", "10.0.0.1:80", "", true, "egress all"},
		{"all", "192.168.1.1:22", "", true, "egress all"},
		{"public", "1.1.1.1:80", "", true, "egress public"},
		{"public", "10.0.0.1:80", "", false, "egress public"},
		{"public", "172.16.0.1:80", "", false, "egress public"},
		{"public", "172.32.0.1:80", "", true, "egress public"},
		{"public", "192.168.0.1:80", "", false, "egress public"},
		{"public", "100.64.0.1:80", "", false, "egress public"},
		{"public", "100.128.0.1:80", "", true, "egress public"},
		{"public", "169.254.169.254:80", "", false, "egress public"},
		{"public", "224.0.0.1:80", "", false, "egress public"},
		{"public", "255.255.255.255:80", "", false, "egress public"},
		{"public", "198.18.0.1:80", "", false, "egress public"},
		{"public", "[fd00::1]:80", "", false, "egress public"},
		{"public", "[fe80::1]:80", "", false, "egress public"},
		{"public", "[2606:4700::1]:80", "", true, "egress public"},
		{"public", "[::ffff:10.0.0.1]:80", "", false, "egress public"},
		{"none", "1.1.1.1:80", "", false, "egress none"},
		{"none", "1.1.1.1:80", "one.one", false, "egress none"},

		// Something that is allowed closes the rest, unless egress says more.
		{"+1.1.1.1", "1.1.1.1:80", "", true, "allow 1.1.1.1"},
		{"+1.1.1.1", "1.1.1.2:80", "", false, "egress none"},
		{"all +1.1.1.1", "1.1.1.2:80", "", true, "egress all"},
		{"-1.1.1.1", "1.1.1.1:80", "", false, "deny 1.1.1.1"},
		{"-1.1.1.1", "1.1.1.2:80", "", true, "egress all"},

		// Ports.
		{"+1.1.1.1:443", "1.1.1.1:443", "", true, "allow 1.1.1.1:443"},
		{"+1.1.1.1:443", "1.1.1.1:80", "", false, "egress none"},
		{"-1.1.1.1 +1.1.1.1:443", "1.1.1.1:443", "", true, "allow 1.1.1.1:443"},
		{"+1.1.1.1 -1.1.1.1:25", "1.1.1.1:25", "", false, "deny 1.1.1.1:25"},
		{"+1.1.1.1:25 -1.1.1.1:25", "1.1.1.1:25", "", false, "deny 1.1.1.1:25"},
		{"-0.0.0.0/0:25", "8.8.8.8:25", "", false, "deny 0.0.0.0/0:25"},
		{"-0.0.0.0/0:25", "8.8.8.8:26", "", true, "egress all"},

		// Networks.
		{"public +10.0.0.0/8:5432", "10.1.2.3:5432", "", true, "allow 10.0.0.0/8:5432"},
		{"public +10.0.0.0/8:5432", "10.1.2.3:5433", "", false, "egress public"},
		{"-10.0.0.0/8 +10.1.0.0/16", "10.1.2.3:1", "", true, "allow 10.1.0.0/16"},
		{"+10.0.0.0/8 -10.1.0.0/16", "10.1.2.3:1", "", false, "deny 10.1.0.0/16"},
		{"+10.1.0.0/16:80 -10.1.2.0/24", "10.1.2.3:80", "", false, "deny 10.1.2.0/24"},
		{"-10.1.2.0/24 +10.1.2.3", "10.1.2.3:80", "", true, "allow 10.1.2.3"},
		{"+10.0.0.0/8 -10.0.0.0/8", "10.1.2.3:80", "", false, "deny 10.0.0.0/8"},
		{"-10.1.2.3/8", "10.200.0.1:80", "", false, "deny 10.1.2.3/8"},
		{"+::/0", "[2001:db8::1]:80", "", true, "allow ::/0"},
		{"+0.0.0.0/0", "[::ffff:9.9.9.9]:80", "", true, "allow 0.0.0.0/0"},
		{"-::ffff:9.9.9.9", "9.9.9.9:80", "", false, "deny ::ffff:9.9.9.9"},

		// Names.
		{"+github.com", "140.82.1.1:443", "github.com", true, "allow github.com"},
		{"+github.com", "140.82.1.1:443", "GitHub.COM.", true, "allow github.com"},
		{"+GitHub.com.", "140.82.1.1:443", "github.com", true, "allow GitHub.com."},
		{"+github.com", "140.82.1.1:443", "", false, "egress none"},
		{"+github.com", "140.82.1.1:443", "api.github.com", false, "egress none"},
		{"+github.com", "140.82.1.1:443", "evilgithub.com", false, "egress none"},
		{"+github.com", "140.82.1.1:443", "github.com.evil.org", false, "egress none"},
		{"+*.github.com", "140.82.1.1:443", "api.github.com", true, "allow *.github.com"},
		{"+*.github.com", "140.82.1.1:443", "a.b.github.com", true, "allow *.github.com"},
		{"+*.github.com", "140.82.1.1:443", "github.com", false, "egress none"},
		{"+*.github.com", "140.82.1.1:443", "evilgithub.com", false, "egress none"},
		{"+*.pypi.org:443", "151.101.0.1:443", "files.pypi.org", true, "allow *.pypi.org:443"},
		{"+*.pypi.org:443", "151.101.0.1:80", "files.pypi.org", false, "egress none"},
		{"-evil.org", "6.6.6.6:80", "evil.org", false, "deny evil.org"},
		{"-evil.org", "6.6.6.6:80", "", true, "egress all"},
		{"+*.github.com -gist.github.com", "140.82.1.1:443", "gist.github.com", false, "deny gist.github.com"},
		{"-*.github.com +api.github.com", "140.82.1.1:443", "api.github.com", true, "allow api.github.com"},
		{"+*.github.com -*.raw.github.com", "140.82.1.1:443", "a.raw.github.com", false, "deny *.raw.github.com"},
		{"+a.org -a.org", "6.6.6.6:80", "a.org", false, "deny a.org"},
		{"+a.org", "6.6.6.6:80", "b.org a.org", true, "allow a.org"},
		{"+a.org -b.org", "6.6.6.6:80", "b.org a.org", true, "allow a.org"},

		// Names and addresses.
		{"-0.0.0.0/0 +a.org", "6.6.6.6:80", "a.org", true, "allow a.org"},
		{"-6.6.6.6 +a.org", "6.6.6.6:80", "a.org", false, "deny 6.6.6.6"},
		{"+6.6.6.6 -a.org", "6.6.6.6:80", "a.org", true, "allow 6.6.6.6"},
		// A name that leads to a private address.
		{"+a.org", "10.0.0.1:80", "a.org", false, "egress none"},
		{"public +a.org", "192.168.0.1:80", "a.org", false, "egress public"},
		{"public +*.org", "169.254.169.254:80", "a.org", false, "egress public"},
		{"+a.org +10.0.0.1", "10.0.0.1:80", "a.org", true, "allow 10.0.0.1"},
		{"all +a.org", "10.0.0.1:80", "a.org", true, "allow a.org"},
		{"public -a.org", "10.0.0.1:80", "a.org", false, "deny a.org"},
	} {
		p, err := New(settings(tt.settings))
		if err != nil {
			t.Errorf("%q: %v", tt.settings, err)
			continue
		}
		want := Verdict{tt.allowed, tt.rule}
		if got := p.Connection(netip.MustParseAddrPort(tt.to), strings.Fields(tt.names)); got != want {
			t.Errorf("%q to %s (%s): %+v, want %+v", tt.settings, tt.to, tt.names, got, want)
		}
	}
}

func TestName(t *testing.T) {
	for _, tt := range []struct {
		settings, name string
		allowed        bool
		rule           string
	}{
		{"", "a.org", true, "egress all"},
		{"none", "a.org", false, "egress none"},
		{"+a.org", "A.ORG.", true, "allow a.org"},
		{"+a.org", "b.org", false, "egress none"},
		{"+a.org:443", "a.org", true, "allow a.org:443"},
		{"+10.0.0.1", "a.org", true, "egress none"}, // it may have that address
		{"-a.org", "a.org", false, "deny a.org"},
		{"-a.org:25", "a.org", true, "egress all"},
		{"-*.org", "a.org", false, "deny *.org"},
		{"-*.org +a.org", "a.org", true, "allow a.org"},
		{"public", "a.org", true, "egress public"},
	} {
		p, err := New(settings(tt.settings))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := p.Name(tt.name), (Verdict{tt.allowed, tt.rule}); got != want {
			t.Errorf("%q, %s: %+v, want %+v", tt.settings, tt.name, got, want)
		}
	}
}

func TestZeroPolicy(t *testing.T) {
	var p Policy
	if v := p.Connection(netip.MustParseAddrPort("10.0.0.1:1"), nil); !v.Allowed {
		t.Errorf("got %+v", v)
	}
	if v := p.Name("a.org"); !v.Allowed {
		t.Errorf("got %+v", v)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, text := range []string{
		"some", "+", "+*", "+*.", "+a.*.org", "+*a.org", "+a..org", "+a.org:", "+a.org:0", "+a.org:65536", "+a.org:http", "+1.2.3",
		"+1.2.3.4.5", "+1.2.3.4/33", "+1.2.3/24", "+a.org/24", "+[::1", "+http://a.org", "-a_b-.org", "+::ffff:1.2.3.0/120",
	} {
		if p, err := New(settings(text)); err == nil && text != "+[::1" {
			t.Errorf("%q passed: %+v", text, p)
		}
	}
}

// A network is a rule that allows its addresses.
func TestPeer(t *testing.T) {
	in := Network{Name: "lab", Subnet: netip.MustParsePrefix("10.7.0.0/24")}
	for _, tt := range []struct {
		settings, to string
		allowed      bool
		rule         string
	}{
		{"", "10.7.0.3:80", true, "allow network lab"},
		{"none", "10.7.0.3:80", true, "allow network lab"},
		{"public", "10.7.0.3:80", true, "allow network lab"},
		{"+github.com", "10.7.0.3:80", true, "allow network lab"},
		{"-10.0.0.0/8", "10.7.0.3:80", true, "allow network lab"},
		{"-10.7.0.0/24", "10.7.0.3:80", false, "deny 10.7.0.0/24"},
		{"-10.7.0.0/24:81", "10.7.0.3:80", true, "allow network lab"},
		{"-10.7.0.0/24:80", "10.7.0.3:80", false, "deny 10.7.0.0/24:80"},
		{"-10.7.0.0/25", "10.7.0.3:80", false, "deny 10.7.0.0/25"},
		{"-10.7.0.3", "10.7.0.3:80", false, "deny 10.7.0.3"},
		{"-db", "10.7.0.3:80", false, "deny db"},
		{"-DB.banger.internal", "10.7.0.3:80", false, "deny DB.banger.internal"},
		{"-db:81", "10.7.0.3:80", true, "allow network lab"},
		{"-db +db:80", "10.7.0.3:80", true, "allow db:80"},
		{"-*.banger.internal", "10.7.0.3:80", false, "deny *.banger.internal"},
		{"-*.banger.internal +db.banger.internal", "10.7.0.3:80", true, "allow db.banger.internal"},
		{"public -db +10.7.0.3", "10.7.0.3:80", true, "allow 10.7.0.3"},
		{"-web", "10.7.0.3:80", true, "allow network lab"},
	} {
		p, err := New(settings(tt.settings))
		if err != nil {
			t.Fatal(err)
		}
		want := Verdict{tt.allowed, tt.rule}
		if got := p.Peer(netip.MustParseAddrPort(tt.to), PeerNames("db"), in); got != want {
			t.Errorf("%q to %s: %+v, want %+v", tt.settings, tt.to, got, want)
		}
	}
	for text, allowed := range map[string]bool{"": true, "none": true, "-db": false, "-db:80": true, "-*.banger.internal": false, "-10.7.0.3": true} {
		p, err := New(settings(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.PeerName(PeerNames("db"), in); got.Allowed != allowed {
			t.Errorf("%q: the name is resolved: %+v", text, got)
		}
	}
}
