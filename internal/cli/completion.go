package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/catalog"
	"banger/internal/engine"
	"banger/internal/kernel"
	"banger/internal/snapshot"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// Completion offers a shell the names that there are: a command's first argument, or all
// of them, by what its use calls them and by the group that it is in.

// kinds are what names are of, by the group's name.
var kinds = []string{"vm", "snapshot", "image", "kernel", "volume", "network", "catalog"}

// newNames are commands whose first argument is a name that is not taken yet, or
// something else.
var newNames = []string{"create", "import", "add", "pull", "run"}

// Commands for VMs that are up, and for those that are down.
var (
	forRunning = []string{"stop", "restart", "pause", "ssh", "exec", "kill", "top", "forward", "fork", "sync", "cp", "stats", "wait", "touch"}
	forStopped = []string{"start", "rename"}
)

// completeNames gives a command what a shell asks for.
func (a *app) completeNames(c *cobra.Command) {
	kind, several := argumentOf(c)
	if kind != "" && c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
		c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 && !several {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return a.offer(c, kind, args, typed)
		}
	}
	for flag, kind := range map[string]string{
		"image": "image", "from-image": "image", "kernel": "kernel", "kernel-ref": "kernel", "snapshot": "snapshot", "network": "network", "replace": "vm", "vm": "vm",
	} {
		if f := c.Flags().Lookup(flag); f != nil && f.Value.Type() != "bool" {
			a.completeFlag(c, flag, func() []string { return a.namesOf(kind, nil) })
		}
	}
	for flag, values := range map[string][]string{
		"vmm": {"auto", "firecracker", "qemu"}, "egress": {policy.All, policy.Public, policy.None}, "restart": {"no", "on-failure", "always"},
		"editor": {"code", "cursor", "idea", "zed"},
	} {
		a.completeFlag(c, flag, func() []string { return values })
	}
}

func (a *app) completeFlag(c *cobra.Command, flag string, values func() []string) {
	if c.Flags().Lookup(flag) == nil {
		return
	}
	// The error is of one that is completed already.
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	})
}

// argumentOf returns what a command's first argument is the name of, "" for none, and
// whether the others are too.
func argumentOf(c *cobra.Command) (kind string, several bool) {
	fields := strings.Fields(c.Use)
	at := slices.IndexFunc(fields, func(f string) bool { return f == strings.ToUpper(f) && strings.Trim(f, "[]-.|") != "" })
	if at < 1 || slices.Contains(newNames, fields[0]) && !strings.HasPrefix(fields[at], "VM") {
		return "", false
	}
	word := strings.Trim(fields[at], "[]")
	first, _, _ := strings.Cut(strings.TrimSuffix(word, "..."), "|")
	several = strings.HasSuffix(word, "...")
	switch first {
	case "VM", "SRC":
		return "vm", several
	case "IMAGE":
		return "image", several
	case "NAME", "OLD":
	default:
		return "", false
	}
	kind = c.Parent().Name()
	if !slices.Contains(kinds, kind) {
		kind = "vm" // of the short forms, generate and ssh-config
	}
	return kind, several
}

// offer returns the names for an argument. Where a directory may stand too, or a path
// of the host's, a shell offers these.
func (a *app) offer(c *cobra.Command, kind string, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	var phase func(vm.Phase) bool
	switch {
	case kind != "vm":
	case slices.Contains(forRunning, c.Name()):
		phase = vm.Phase.Alive
	case slices.Contains(forStopped, c.Name()):
		phase = func(p vm.Phase) bool { return !p.Alive() }
	}
	names := slices.DeleteFunc(a.namesOf(kind, phase), func(name string) bool {
		return slices.Contains(args, name) || !strings.HasPrefix(name, typed)
	})
	switch c.Name() {
	case "cp":
		for i := range names {
			names[i] += ":"
		}
		return names, cobra.ShellCompDirectiveNoSpace
	case "code", "systemd", "quadlet", "nomad", "kubernetes":
		return names, cobra.ShellCompDirectiveDefault
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// namesOf returns the names of a kind; of VMs those in a phase that is meant. Errors are
// dropped: a shell that completes has no place for them.
func (a *app) namesOf(kind string, meant func(vm.Phase) bool) []string {
	if a.unusable != nil {
		return nil
	}
	switch kind {
	case "vm":
		all, _ := a.engine.ListVMs()
		all = slices.DeleteFunc(all, func(v vm.VM) bool { return meant != nil && !meant(v.State.Phase) })
		return namesIn(all, func(v vm.VM) string { return v.Name })
	case "snapshot":
		all, _ := a.engine.ListSnapshots("")
		return namesIn(all, func(s snapshot.Snapshot) string { return s.Name })
	case "image":
		all, _ := a.engine.ListImages()
		return namesIn(all, func(i engine.ImageInfo) string { return i.Name })
	case "kernel":
		all, _ := a.engine.ListKernels()
		return namesIn(all, func(k kernel.Kernel) string { return k.Name })
	case "volume":
		all, _ := a.engine.ListVolumes(nil)
		return namesIn(all, func(v engine.Volume) string { return v.Name })
	case "network":
		all, _ := a.engine.ListNetworks()
		return namesIn(all, func(n engine.Network) string { return n.Name })
	case "catalog":
		return namesIn(a.engine.Catalogs(), func(s catalog.Source) string { return s.Name })
	}
	return nil
}

// namesIn returns the names of all in a list.
func namesIn[T any](all []T, name func(T) string) []string {
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = name(one)
	}
	return names
}
