package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/size"
	"banger/internal/vm"
)

func (a *app) vmListCommand() *cobra.Command {
	var o listOptions
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List all VMs",
		Example: "  banger vm list --filter label=stage=test --format '{{.Name}} {{.Status}}'",
		Args:    noArgs,
		RunE: a.run(func(context.Context, []string) error {
			return a.listVMs(o, func(vm.VM) bool { return true })
		}),
	}
	o.addFlags(c.Flags())
	return c
}

func (a *app) psCommand() *cobra.Command {
	var all bool
	var o listOptions
	c := &cobra.Command{
		Use:   "ps",
		Short: "List the VMs that run",
		Args:  noArgs,
		RunE: a.run(func(context.Context, []string) error {
			return a.listVMs(o, func(v vm.VM) bool { return all || v.State.Phase.Alive() })
		}),
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "list those that are stopped too")
	o.addFlags(c.Flags())
	return c
}

// listOptions say which VMs to list, and in what order.
type listOptions struct {
	filters []string
	sort    string
}

func (o *listOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&o.filters, "filter", "f", nil, "list only what has name=PART, status=, image=, kernel= or label=KEY[=VALUE]; may be repeated")
	flags.StringVar(&o.sort, "sort", "name", "order by name, created, started, status, image, cpus, memory or disk; with a - before it backwards")
}

// vmRow is a VM as a list shows it, and templates see it.
type vmRow struct {
	vm.VM
	Status, Uptime, TTL  string
	Memory, Disk, Ports  string
	NetworkSet           string
	CreatedAgo, LabelSet string
}

// Label is the value of one, as docker's templates ask for it.
func (r vmRow) Label(key string) string { return r.Labels[key] }

func newVMRow(v vm.VM) vmRow {
	row := vmRow{
		VM: v, Status: string(v.State.Phase), TTL: ttl(v),
		Memory: memory(v).String(), Disk: size.Size(v.DiskBytes).String(), Ports: portList(v), NetworkSet: networkList(v),
		CreatedAgo: age(v.CreatedAt), LabelSet: v.Labels.String(),
	}
	if v.State.Phase.Alive() && !v.State.ReadyAt.IsZero() {
		row.Uptime = brief(time.Since(v.State.ReadyAt))
	}
	return row
}

func (a *app) listVMs(o listOptions, wanted func(vm.VM) bool) error {
	match, err := parseFilters(o.filters)
	if err != nil {
		return err
	}
	order, err := parseSort(o.sort)
	if err != nil {
		return err
	}
	all, err := a.engine.ListVMs()
	if err != nil {
		return err
	}
	vms := slices.DeleteFunc(all, func(v vm.VM) bool { return !wanted(v) || !match(v) })
	for i := range vms {
		vms[i].Secrets = nil // vm show has them
	}
	slices.SortStableFunc(vms, order)
	return a.printVMs(vms)
}

func (a *app) printVMs(vms []vm.VM) error {
	if a.format == formatJSON {
		return list(a, vms, "", nil)
	}
	var rows []vmRow
	for _, v := range vms {
		rows = append(rows, newVMRow(v))
	}
	return list(a, rows, "NAME STATUS UPTIME TTL IMAGE KERNEL CPUS MEMORY DISK NETWORKS PORTS CREATED", func(r vmRow) []string {
		return []string{r.Name, statusCell(r.VM), r.Uptime, r.TTL, r.Image, r.Kernel, strconv.Itoa(r.CPUs), r.Memory, r.Disk, r.NetworkSet, r.Ports, r.CreatedAgo}
	})
}

// statusCell is a VM's status, and that its guest has lost its disk, which no status
// says.
func statusCell(v vm.VM) string {
	if v.State.Phase.Alive() && v.State.DiskError != "" {
		return string(v.State.Phase) + " (disk error)"
	}
	return string(v.State.Phase)
}

// parseFilters reads filters as docker does: of several of one kind one has to
// match, but for labels, and of each kind one.
func parseFilters(filters []string) (match func(vm.VM) bool, err error) {
	labels := vm.Labels{}
	kinds := map[string][]string{}
	for _, filter := range filters {
		kind, value, found := strings.Cut(filter, "=")
		switch {
		case !found:
			return nil, fmt.Errorf("--filter %s: a filter is KIND=VALUE, such as status=running", filter)
		case kind == "label":
			if err := labels.Set(value); err != nil {
				return nil, err
			}
		case filterKinds[kind] == nil:
			return nil, fmt.Errorf("--filter %s: the kinds are name, status, image, kernel and label", filter)
		case kind == "status" && phaseOf(value) == "":
			return nil, fmt.Errorf("--filter %s: a vm's status is one of %s", filter, phaseNames())
		default:
			kinds[kind] = append(kinds[kind], value)
		}
	}
	return func(v vm.VM) bool {
		for kind, values := range kinds {
			if !slices.ContainsFunc(values, func(value string) bool { return filterKinds[kind](v, value) }) {
				return false
			}
		}
		return v.Labels.Have(labels)
	}, nil
}

// phaseOf is the phase that a text names, docker's words too, or "".
func phaseOf(text string) vm.Phase {
	if text == "exited" {
		return vm.Stopped
	}
	if phase := vm.Phase(text); slices.Contains(vm.Phases, phase) {
		return phase
	}
	return ""
}

func phaseNames() string {
	var names []string
	for _, phase := range vm.Phases {
		names = append(names, string(phase))
	}
	return strings.Join(names, ", ")
}

var filterKinds = map[string]func(vm.VM, string) bool{
	"name":   func(v vm.VM, value string) bool { return strings.Contains(v.Name, value) },
	"status": func(v vm.VM, value string) bool { return v.State.Phase == phaseOf(value) },
	"image":  func(v vm.VM, value string) bool { return v.Image == value },
	"kernel": func(v vm.VM, value string) bool { return v.Kernel == value },
}

var sortKeys = map[string]func(a, b vm.VM) int{
	"name":    func(a, b vm.VM) int { return cmp.Compare(a.Name, b.Name) },
	"created": func(a, b vm.VM) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"started": func(a, b vm.VM) int { return a.State.StartedAt.Compare(b.State.StartedAt) },
	"status":  func(a, b vm.VM) int { return cmp.Compare(a.State.Phase, b.State.Phase) },
	"image":   func(a, b vm.VM) int { return cmp.Compare(a.Image, b.Image) },
	"cpus":    func(a, b vm.VM) int { return cmp.Compare(a.CPUs, b.CPUs) },
	"memory":  func(a, b vm.VM) int { return cmp.Compare(a.MemoryMiB, b.MemoryMiB) },
	"disk":    func(a, b vm.VM) int { return cmp.Compare(a.DiskBytes, b.DiskBytes) },
}

func parseSort(key string) (func(a, b vm.VM) int, error) {
	name, backwards := strings.CutPrefix(key, "-")
	order := sortKeys[name]
	if order == nil {
		return nil, fmt.Errorf("--sort %s: the keys are name, created, started, status, image, cpus, memory and disk", key)
	}
	if backwards {
		return func(a, b vm.VM) int { return order(b, a) }, nil
	}
	return order, nil
}

// ttl is what is left of a VM's time to live, or all of it where it is down.
func ttl(v vm.VM) string {
	if v.State.ExpiresAt.IsZero() || !v.State.Phase.Alive() {
		return v.TTL.String()
	}
	return brief(max(time.Until(v.State.ExpiresAt), 0))
}

// portList is the ports of the host that lead to a VM, as docker writes them.
func portList(v vm.VM) string {
	var all []string
	for _, p := range v.State.OpenPorts() {
		all = append(all, fmt.Sprintf("%s->%d/%s", p.Host(), p.GuestPort, p.Protocol))
	}
	return strings.Join(all, ",")
}

// brief is a duration in its largest unit.
func brief(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
