package policy

import (
	"fmt"
	"reflect"
	"testing"
)

func TestChange(t *testing.T) {
	public, bad, none := Public, "some", ""
	old := settings("all +a.org +10.0.0.0/8 -b.org")
	for _, tt := range []struct {
		what   string
		change Change
		want   string // "" is an error
	}{
		{"nothing", Change{}, "all +a.org +10.0.0.0/8 -b.org"},
		{"more", Change{Egress: &public, Allow: []string{"c.org", "a.org"}, Deny: []string{"1.1.1.1"}}, "public +a.org +10.0.0.0/8 +c.org -b.org -1.1.1.1"},
		{"less", Change{Remove: []string{"a.org", "b.org"}}, "all +10.0.0.0/8"},
		{"less than there is", Change{Remove: []string{"c.org"}}, ""},
		{"another", Change{Replace: true, Allow: []string{"c.org"}}, "+c.org"},
		{"no egress", Change{Egress: &none}, "+a.org +10.0.0.0/8 -b.org"},
		{"a bad egress", Change{Egress: &bad}, ""},
		{"a bad rule", Change{Deny: []string{"1.2.3.4/33"}}, ""},
		{"too many", Change{Deny: many(maxRules)}, ""},
	} {
		got, err := tt.change.Apply(old)
		if (err != nil) != (tt.want == "") || err == nil && !reflect.DeepEqual(got, settings(tt.want)) {
			t.Errorf("%s: %+v, %v", tt.what, got, err)
		}
	}
	if !reflect.DeepEqual(old, settings("all +a.org +10.0.0.0/8 -b.org")) {
		t.Errorf("what was there has become %+v", old)
	}
}

func many(n int) (rules []string) {
	for i := range n {
		rules = append(rules, fmt.Sprintf("n%d.org", i))
	}
	return rules
}
