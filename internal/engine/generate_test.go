package engine

import (
	"slices"
	"testing"

	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// A VM in a container reaches what it would here: with rules, "all" is not what is so
// where nothing is said.
func TestRunCommandHasThePolicy(t *testing.T) {
	for _, s := range []policy.Settings{
		{Egress: policy.All, Allow: []string{"a.test"}, Deny: []string{"b.test", "10.0.0.0/8:22"}},
		{Egress: policy.None},
		{Allow: []string{"a.test"}},
		{},
	} {
		argv := runCommand(vm.VM{Name: "box", Image: "debian", Policy: s})
		for flag, values := range map[string][]string{"--egress=": {s.Egress}, "--allow=": s.Allow, "--deny=": s.Deny} {
			for _, value := range values {
				if has := slices.Contains(argv, flag+value); has != (value != "") {
					t.Errorf("%+v: %s%s in %q: %v", s, flag, value, argv, has)
				}
			}
		}
	}
}
