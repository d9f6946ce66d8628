// Package qemu is the QEMU adapter: its microvm machine, with KVM where KVM
// works and by emulation where it does not.
//
// The command line is a pure function of the VM's configuration. QEMU gets no
// environment and no descriptor beside its console and the sockets of its
// network and its monitor, and runs under its own seccomp filter.
package qemu

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"banger/internal/process"
	"banger/internal/vmm"
	"banger/internal/vmm/kvm"
)

// Name is the backend's name.
const Name = "qemu"

// Program is what is looked for where no binary is given.
const Program = "qemu-system-x86_64"

// Options says which QEMU.
type Options struct {
	Binary   string // "" is the one on PATH
	Versions vmm.Versions
}

type backend struct {
	Options
	tsc tscMeter
	kvm func() kvm.Result
}

// New returns the backend that runs a QEMU.
func New(o Options) vmm.Backend {
	if o.Binary == "" {
		o.Binary = Program
	}
	return &backend{
		Options: o,
		tsc:     newTSCMeter(),
		kvm:     sync.OnceValue(func() kvm.Result { return kvm.Probe(context.Background()) }),
	}
}

// Probe implements vmm.Backend.
func (b *backend) Probe(ctx context.Context) (vmm.Info, error) {
	path, err := process.LookPath(b.Binary)
	if err != nil {
		return vmm.Info{}, err
	}
	go b.kvm()
	v, err := b.Versions.Of(path, func() (string, error) { return askVersion(ctx, path) })
	if err != nil {
		return vmm.Info{}, err
	}
	return vmm.Info{
		Backend: Name,
		Path:    path,
		Version: v,
		Accel:   b.accel(),
		Why:     b.kvm().Why,
	}, nil
}

func askVersion(ctx context.Context, path string) (string, error) {
	out, err := process.Output(ctx, path, "--version")
	if err != nil {
		return "", fmt.Errorf("ask qemu for its version: %w", err)
	}
	return version(string(out)), nil
}

func (b *backend) accel() string {
	if b.kvm().Works {
		return vmm.KVM
	}
	return vmm.TCG
}

// version picks the number out of what QEMU says of itself.
func version(text string) string {
	_, rest, _ := strings.Cut(text, "version ")
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return "unknown"
}

// Start implements vmm.Backend.
func (b *backend) Start(ctx context.Context, cfg vmm.Config, network vmm.Network) (vmm.Machine, error) {
	path, err := process.LookPath(b.Binary)
	if err != nil {
		return nil, err
	}
	if err := checkFiles(cfg); err != nil {
		return nil, err
	}
	accel := b.accel()
	if accel == vmm.TCG {
		cfg.Cmdline = append(slices.Clone(cfg.Cmdline), b.tsc.kernelArg())
	}
	return start(ctx, program{path, cfg, accel}, Setup{}, network)
}

// program is a QEMU and the VM that it is for.
type program struct {
	path  string
	cfg   vmm.Config
	accel string
}

// start runs QEMU with its two sockets.
func start(ctx context.Context, p program, setup Setup, network vmm.Network) (*machine, error) {
	cable, cablePeer, err := socketPair("network")
	if err != nil {
		return nil, err
	}
	defer cablePeer.Close()
	control, controlPeer, err := socketPair("monitor")
	if err != nil {
		cable.Close()
		return nil, err
	}
	defer controlPeer.Close()
	const firstFile = 3
	setup.Network, setup.Monitor = firstFile, firstFile+1
	m := &machine{program: p, diskError: p.cfg.DiskError, log: vmm.NewLog(p.cfg.Log, Program+": "), migration: make(chan step, maxSteps)}
	m.child, err = process.Start(ctx, process.Cmd{
		Args:   append([]string{p.path}, Args(p.cfg, p.accel, setup)...),
		Env:    []string{},
		Stdout: p.cfg.Console,
		Stderr: m.log,
		Files:  []*os.File{cablePeer, controlPeer},
	})
	if err != nil {
		cable.Close()
		control.Close()
		return nil, fmt.Errorf("start qemu: %w", err)
	}
	m.monitor = newMonitor(control, m.hear)
	m.serve(network, cable)
	return m, nil
}

// TSCArg tells an emulated guest's kernel of its time stamp counter, as Start
// does; it cannot find out itself.
func TSCArg() string { return newTSCMeter().kernelArg() }

func (m tscMeter) kernelArg() string { return fmt.Sprintf("tsc_early_khz=%d", m.kiloHertz()) }

// socketPair returns the two ends of one of QEMU's sockets.
func socketPair(what string) (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make the %s's socket: %w", what, err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), what), os.NewFile(uintptr(fds[1]), what)
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make the %s's socket: %w", what, err)
	}
	return conn.(*net.UnixConn), theirs, nil
}
