package engine

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"banger/internal/statedir"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/vmm/kvm"
)

// Share is what one kind of things takes of the disk.
type Share struct {
	Kind        string `json:"kind"`
	Count       int    `json:"count"`
	InUse       int    `json:"in_use"`
	Size        int64  `json:"size"`        // bytes of blocks that are really used, once each
	Reclaimable int64  `json:"reclaimable"` // what of these nothing needs
}

// DiskUsage returns how much of the disk each kind of things takes. What several kinds
// share counts for the first of them.
func (e *Engine) DiskUsage() ([]Share, error) {
	vms, err := e.vms.List()
	if err != nil {
		return nil, err
	}
	var tally statedir.Tally
	alive := map[string]bool{}
	for _, v := range vms {
		alive[v.Name] = v.State.Phase.Alive()
	}
	images := func(name string) bool { return e.imageUnused(name) != nil }
	kernels := func(name string) bool { return e.kernelUnused(name) != nil }
	volumes := func(name string) bool { return e.volumeUnused(name) != nil }
	always, never := func(string) bool { return true }, func(string) bool { return false }
	var shares []Share
	for _, of := range []struct {
		kind string
		tree statedir.Tree
		used func(name string) bool
	}{
		{"images", e.Dirs.ImageTree(), images},
		{"kernels", e.Dirs.KernelTree(), kernels},
		{"snapshots", e.Dirs.SnapshotTree(), always}, // nothing but their user knows whether they are needed
		{"vms", e.Dirs.VMTree(), func(name string) bool { return alive[name] }},
		{"volumes", e.Dirs.VolumeTree(), volumes},
		{"templates", e.Dirs.WarmTree(), never},
		{"caches", statedir.Tree{Kind: "cache", Dir: e.Dirs.Cache}, never},
	} {
		share, err := shareOf(&tally, of.tree, of.used)
		if err != nil {
			return nil, err
		}
		share.Kind = of.kind
		shares = append(shares, share)
	}
	return shares, nil
}

func shareOf(tally *statedir.Tally, tree statedir.Tree, used func(string) bool) (s Share, err error) {
	names, err := tree.Names()
	for _, name := range names {
		size := tally.Add(tree.Path(name))
		s.Count++
		s.Size += size
		if used(name) {
			s.InUse++
		} else {
			s.Reclaimable += size
		}
	}
	return s, err
}

// PruneOptions say what to remove of what nothing needs.
type PruneOptions struct {
	All     bool // images, kernels and templates too
	Volumes bool
	Labels  vm.Labels     // of VMs and volumes: only those that have them
	Age     time.Duration // VMs only that have been down for so long
}

// Removed is what a prune removed.
type Removed struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// PruneSystem removes the VMs that are stopped and what was fetched and is kept for the
// next time, and more if asked to. If it fails, it also returns what it removed before.
// freed is in bytes.
func (e *Engine) PruneSystem(ctx context.Context, o PruneOptions) (removed []Removed, freed int64, err error) {
	before, err := e.total()
	if err != nil {
		return nil, 0, err
	}
	err = e.prune(ctx, o, &removed)
	after, afterErr := e.total()
	return removed, max(before-after, 0), errors.Join(err, afterErr)
}

func (e *Engine) total() (sum int64, err error) {
	shares, err := e.DiskUsage()
	for _, s := range shares {
		sum += s.Size
	}
	return sum, err
}

func (e *Engine) prune(ctx context.Context, o PruneOptions, removed *[]Removed) error {
	note := func(kind string, names ...string) {
		for _, name := range names {
			*removed = append(*removed, Removed{kind, name})
		}
	}
	vms, err := e.pruneVMs(ctx, o.Labels, o.Age)
	note("vm", vms...)
	if err != nil {
		return err
	}
	if o.Volumes {
		volumes, err := e.PruneVolumes(ctx, o.Labels)
		for _, v := range volumes {
			note("volume", v.Name)
		}
		if err != nil {
			return err
		}
	}
	pruned, err := e.PruneImages(o.All)
	note("image", pruned.Images...)
	if err != nil || !o.All {
		return err
	}
	kernels, err := e.kernels.List()
	if err != nil {
		return err
	}
	for _, k := range kernels {
		switch err := e.RemoveKernel(k.Name, false); {
		case err == nil:
			note("kernel", k.Name)
		case !errors.As(err, new(*InUseError)) && !Gone(err):
			return err
		}
	}
	_, err = e.RemoveTemplates()
	return err
}

// SystemInfo is what banger is, runs on and works with.
type SystemInfo struct {
	Version string         `json:"version"`
	Go      string         `json:"go"`
	VMM     *vmm.Info      `json:"vmm,omitempty"`
	VMMWhy  string         `json:"vmm_why,omitempty"` // there is none
	KVM     bool           `json:"kvm"`
	KVMWhy  string         `json:"kvm_why,omitempty"` // it does not work
	CPUs    int            `json:"cpus"`
	Paths   statedir.Dirs  `json:"paths"`
	Counts  map[string]int `json:"counts"`
	Running int            `json:"running"`
	Config  map[string]any `json:"config"`
}

// SystemInfo collects it.
func (e *Engine) SystemInfo(ctx context.Context) (SystemInfo, error) {
	info := SystemInfo{Version: e.Version, Go: runtime.Version(), CPUs: runtime.NumCPU(), Paths: e.Dirs, Counts: map[string]int{}}
	result := kvm.Probe(ctx)
	info.KVM, info.KVMWhy = result.Works, result.Why
	backend, err := e.backend(e.Config.VMM)
	if err == nil {
		var found vmm.Info
		if found, err = backend.Probe(ctx); err == nil {
			info.VMM = &found
		}
	}
	if err != nil {
		info.VMMWhy = err.Error()
	}
	vms, err := e.vms.List()
	if err != nil {
		return info, err
	}
	for _, v := range vms {
		if v.State.Phase.Alive() {
			info.Running++
		}
	}
	for kind, tree := range map[string]statedir.Tree{
		"vms": e.Dirs.VMTree(), "images": e.Dirs.ImageTree(), "kernels": e.Dirs.KernelTree(),
		"snapshots": e.Dirs.SnapshotTree(), "volumes": e.Dirs.VolumeTree(),
	} {
		names, err := tree.Names()
		if err != nil && !errors.Is(err, os.ErrPermission) {
			return info, err
		}
		info.Counts[kind] = len(names)
	}
	info.Config, err = e.Config.Values()
	return info, err
}
