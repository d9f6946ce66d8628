package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"time"

	"banger/internal/imagemgr"
	"banger/internal/initramfs"
	"banger/internal/logfile"
	"banger/internal/process"
	"banger/internal/size"
	"banger/internal/snapshot"
	"banger/internal/statedir"
	"banger/internal/supervisor"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/warm"
)

// warmOf returns where a VM's supervisor finds templates, nil if the user wants none.
func (e *Engine) warmOf(o SuperviseOptions, image imagemgr.Image) supervisor.Warm {
	if !e.Config.Warm.Enabled || o.Making {
		return nil
	}
	return &warmth{engine: e, image: image}
}

// warmth implements supervisor.Warm for one VM.
type warmth struct {
	engine *Engine
	image  imagemgr.Image
	took   string // the template's name
}

// Take implements supervisor.Warm.
func (w *warmth) Take(ctx context.Context, v vm.VM, info vmm.Info) (bool, error) {
	t := w.find(v, info)
	if t == nil {
		return false, nil
	}
	w.took = t.Name
	w.engine.templates.Use(t.Name)
	return true, w.engine.vms.GoOnFrom(ctx, v.Name, vm.Origin{Dir: w.engine.templates.Dir(t.Name), GoOn: true})
}

// find returns a template for the VM, or nil. Errors are dropped: the boot will run into
// them too, and report them.
func (w *warmth) find(v vm.VM, info vmm.Info) *warm.Template {
	if !isPlain(v) {
		return nil
	}
	var t *warm.Template
	shape, err := w.engine.shape(v, w.image, info)
	if err == nil {
		t, err = w.engine.templates.Get(shape)
	}
	if err != nil || t == nil || !t.Fits(v.DiskBytes) {
		return nil
	}
	return t
}

// Drop implements supervisor.Warm.
func (w *warmth) Drop(v vm.VM) error {
	return errors.Join(
		w.engine.templates.Remove(w.took),
		w.engine.vms.Blank(v, w.engine.images.Rootfs(v.Image)))
}

// Make implements supervisor.Warm.
func (w *warmth) Make(v vm.VM) error {
	if !isPlain(v) {
		return nil
	}
	return w.engine.makeApart(TemplateOptions{
		Image: v.Image, Kernel: v.Kernel, CPUs: v.CPUs, MemoryMiB: v.MemoryMiB, DiskBytes: v.DiskBytes,
		VMM: v.VMM, Policy: v.Policy, HostLoopback: v.HostLoopback,
	})
}

// isPlain reports whether a VM's guest differs from a template's in nothing but the shape,
// the size of its disk and its identity. Whatever other settings a VM may have, now or in
// later versions, no template has them.
func isPlain(v vm.VM) bool {
	v.Name, v.MachineID, v.MAC, v.Copied, v.Cold = "", "", "", false, false
	v.Image, v.ImageDigest, v.Kernel, v.CPUs, v.MemoryMiB, v.DiskBytes, v.VMM = "", "", "", 0, 0, 0, ""
	v.Policy, v.HostLoopback = policy.Settings{}, false
	// Of these a guest sees nothing as it boots.
	v.Ephemeral, v.Ports, v.MaxConnections, v.Detached, v.Main = false, nil, 0, false, nil
	v.Labels, v.TTL, v.IdleTimeout, v.CreatedAt, v.State = nil, 0, 0, time.Time{}, vm.State{}
	return reflect.DeepEqual(v, vm.VM{})
}

// makeApart starts a process that makes a template with only what processors and disks have
// to spare.
func (e *Engine) makeApart(o TemplateOptions) error {
	order, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := statedir.MakeDir(e.Dirs.WarmTree().Dir); err != nil {
		return err
	}
	log, err := os.OpenFile(e.Dirs.WarmTree().Path(statedir.WarmLog), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("make a template: %w", err)
	}
	defer log.Close()
	_, err = process.StartDetached(process.Cmd{
		Args: append(slices.Clone(e.Maker), string(order)), Dir: "/", Stdout: log, Stderr: log, Idle: true,
	})
	if err != nil {
		return fmt.Errorf("make a template: %w", err)
	}
	return nil
}

// maxMakerLog bounds what is kept of what makers say, in bytes.
const maxMakerLog = 256 << 10

// MakeTemplateApart is what that process does: it makes a template, or writes to log why it
// cannot be made.
func (e *Engine) MakeTemplateApart(ctx context.Context, order string, log *os.File) error {
	lines := logfile.NewLines(logfile.New(log, maxMakerLog))
	defer lines.Close()
	var o TemplateOptions
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	if err := process.Yield(); err != nil {
		fmt.Fprintln(lines, err)
	}
	o.unasked = true
	t, err := e.MakeTemplate(ctx, o, nil)
	switch {
	case errors.Is(err, statedir.ErrLocked), errors.Is(err, errUnwanted):
		return nil
	case err != nil:
		fmt.Fprintf(lines, "image %s: %v\n", o.Image, err)
	case !t.Present:
		fmt.Fprintf(lines, "image %s: a template of %s\n", o.Image, size.Size(t.DiskUsage))
	}
	return nil
}

// shape is what a template for a VM has to be.
func (e *Engine) shape(v vm.VM, image imagemgr.Image, info vmm.Info) (s warm.Shape, err error) {
	kernel, err := e.kernels.Get(v.Kernel)
	if err != nil {
		return s, err
	}
	agent, err := initramfs.AgentDigest()
	if err != nil {
		return s, err
	}
	s = warm.Shape{
		ImageDigest: image.Digest, KernelDigest: kernel.Digest(), AgentDigest: agent, CPUs: v.CPUs, MemoryMiB: v.MemoryMiB,
		Backend: info.Backend, Version: info.Version, Accel: info.Accel, Policy: v.Policy, HostLoopback: v.HostLoopback,
	}
	s.CPU, s.CPUFeatures = snapshot.Processor()
	if image.Config != nil {
		s.StopSignal = image.Config.StopSignal
	}
	return s, nil
}

// TemplateInfo is the template that MakeTemplate made or found.
type TemplateInfo struct {
	warm.Template
	Present bool `json:"-"` // it was there before
}

// ImageWarmth says which templates an image has, and whether any are made of it.
type ImageWarmth struct {
	Templates []warm.Template
	Off       bool // the user wants none
}

// warmImages returns a function for the ImageWarmth of each image.
func (e *Engine) warmImages() (func(imagemgr.Image) ImageWarmth, error) {
	all, err := e.templates.List()
	if err != nil {
		return nil, err
	}
	off, err := e.templates.Off()
	return func(i imagemgr.Image) (w ImageWarmth) {
		for _, t := range all {
			if t.Machine.ImageDigest == i.Digest {
				w.Templates = append(w.Templates, t)
			}
		}
		w.Off = slices.Contains(off, i.Name)
		return w
	}, err
}

// WarmOff removes an image's templates. No more are made of it until MakeTemplate is called
// for one.
func (e *Engine) WarmOff(image string) error {
	i, err := e.images.Get(image)
	if err != nil {
		return err
	}
	if err := e.templates.SetOff(image, true); err != nil {
		return err
	}
	_, err = e.templates.RemoveWhere(func(t warm.Template) bool { return t.Machine.ImageDigest == i.Digest })
	return err
}

// RemoveTemplates removes all templates, and returns how much disk they took, in bytes. New
// ones are made as VMs boot.
func (e *Engine) RemoveTemplates() (freed int64, err error) {
	return e.templates.RemoveWhere(func(warm.Template) bool { return true })
}

// TemplatesSize is how much disk all templates take, in bytes.
func (e *Engine) TemplatesSize() (int64, error) { return e.templates.Size() }

// removeStaleTemplates removes the templates whose image or kernel is gone.
func (e *Engine) removeStaleTemplates() error {
	images, err := e.images.List()
	if err != nil {
		return err
	}
	kernels, err := e.kernels.List()
	if err != nil {
		return err
	}
	here := map[string]bool{}
	for _, i := range images {
		here[i.Digest] = true
	}
	for _, k := range kernels {
		here[k.Digest()] = true
	}
	_, err = e.templates.RemoveWhere(func(t warm.Template) bool {
		return !here[t.Machine.ImageDigest] || !here[t.Machine.KernelDigest]
	})
	return err
}
