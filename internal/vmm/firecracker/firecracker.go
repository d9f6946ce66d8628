// Package firecracker is the backend for Firecracker: in a jail of its own, as
// an ordinary user, by KVM.
//
// The configuration is a pure function of the VM's. Firecracker gets it in a
// file, no environment, no descriptor beside its console and log, and a TAP
// device whose other end the network has. Its own seccomp filters stay on. It is
// never run outside a jail.
package firecracker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"banger/internal/agentapi"
	"banger/internal/jail"
	"banger/internal/process"
	"banger/internal/vmm"
	"banger/internal/vmm/kvm"
)

// Name is the backend's name.
const Name = "firecracker"

// Names in a VM's directory.
const (
	configName = "firecracker.json"
	socketName = "firecracker.sock"
)

// Options says where things are.
type Options struct {
	Binary string   // "" is the one on PATH, or else in Dir
	Dir    string   // where users may put a firecracker of their own
	Jail   []string // the command that calls jail.Main with the arguments that follow

	Versions vmm.Versions
}

type backend struct {
	Options
	kvm func() kvm.Result
}

// New returns the backend.
func New(o Options) vmm.Backend {
	return &backend{o, sync.OnceValue(func() kvm.Result { return kvm.Probe(context.Background()) })}
}

// KVMError says why KVM, without which Firecracker cannot run, does not work.
type KVMError struct{ Why string }

func (e *KVMError) Error() string { return e.Why }

// Probe implements vmm.Backend. Its errors are those of find, a *KVMError, and
// those of jail.Try.
func (b *backend) Probe(ctx context.Context) (vmm.Info, error) {
	path, err := b.find()
	if err != nil {
		return vmm.Info{}, err
	}
	go b.kvm()
	tried := make(chan error, 1)
	go func() { tried <- jail.Try(ctx, b.Jail) }()
	v, err := b.Versions.Of(path, func() (string, error) { return askVersion(ctx, path) })
	if err != nil {
		return vmm.Info{}, err
	}
	if result := b.kvm(); !result.Works {
		return vmm.Info{}, &KVMError{result.Why}
	}
	if err := <-tried; err != nil {
		return vmm.Info{}, err
	}
	return vmm.Info{Backend: Name, Path: path, Version: v, Accel: vmm.KVM}, nil
}

// find returns the path of the program. The error is a *process.NotFoundError
// where there is none.
func (b *backend) find() (string, error) {
	if b.Binary != "" {
		return lookPath(b.Binary)
	}
	path, err := lookPath(Name)
	if errors.As(err, new(*process.NotFoundError)) && b.Dir != "" {
		if own, ownErr := lookPath(filepath.Join(b.Dir, Name)); ownErr == nil {
			return own, nil
		}
	}
	return path, err
}

// lookPath is process.LookPath that tells a file which may not be executed from
// none, and returns an absolute path.
func lookPath(name string) (string, error) {
	path, err := process.LookPath(name)
	if err != nil {
		if info, statErr := os.Stat(name); statErr == nil && info.Mode().IsRegular() && strings.Contains(name, "/") {
			return "", &fs.PathError{Op: "execute", Path: name, Err: fs.ErrPermission}
		}
		return "", err
	}
	return filepath.Abs(path)
}

// askVersion returns the program's version. The error is a *VersionError where it
// is too old.
func askVersion(ctx context.Context, path string) (string, error) {
	out, err := process.Output(ctx, path, "--version")
	if err != nil {
		return "", fmt.Errorf("ask firecracker for its version: %w", err)
	}
	v, ok := version(string(out))
	if !ok {
		return "", fmt.Errorf("%s does not say that it is a firecracker", path)
	}
	if isOlder(v, Oldest) {
		return "", &VersionError{path, v}
	}
	return v, nil
}

// Start implements vmm.Backend.
func (b *backend) Start(ctx context.Context, cfg vmm.Config, network vmm.Network) (vmm.Machine, error) {
	path, err := b.find()
	if err != nil {
		return nil, err
	}
	if err := cfg.CheckFiles(); err != nil {
		return nil, err
	}
	m := newMachine(cfg)
	err = m.prepare(cfg)
	if err == nil {
		err = m.writeConfig(cfg)
	}
	if err == nil {
		err = m.start(ctx, b.Jail, jailed(path, cfg, "--config-file", configName), cfg, network)
	}
	if err != nil {
		m.removeFiles()
		return nil, err
	}
	return m, nil
}

func newMachine(cfg vmm.Config) *machine {
	log := vmm.NewLog(cfg.Log, "] ")
	log.Heard = func(line string) {
		if why, ok := diskError(line); ok && cfg.DiskError != nil {
			cfg.DiskError(why)
		}
	}
	log.Repeats = repeats
	return &machine{log: log, dir: cfg.Dir, disks: len(cfg.Disks)}
}

// repeats reports whether a line is one of the two that Firecracker ends with behind the
// one that says why.
func repeats(line string) bool {
	return strings.HasPrefix(line, "Error: ") || strings.Contains(line, "Firecracker exiting with error")
}

// jailed says what Firecracker may write to in its jail, and how it is called
// there, in the VM's directory: the whole path of its socket may be longer than
// such a path can be.
func jailed(path string, cfg vmm.Config, more ...string) jail.Options {
	writable := []string{cfg.Dir, kvm.Device, jail.Device}
	for _, disk := range cfg.Disks {
		if !disk.ReadOnly {
			writable = append(writable, disk.Path)
		}
	}
	return jail.Options{
		MTU: agentapi.MTU, Writable: writable,
		Argv: slices.Concat([]string{path}, more, []string{
			"--api-sock", socketName, "--log-path", "/proc/self/fd/2", "--level", "Error",
		}),
	}
}
