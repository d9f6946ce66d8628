package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"banger/internal/agentapi"
	"banger/internal/initramfs"
	"banger/internal/kernel"
	"banger/internal/statedir"
	"banger/internal/usernet"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/vmm/qemu"
)

// boot compares vm run, from the command to its output, with the same guest
// whose VMM is started by hand and whose init prints the same at once.
func (b bench) boot(ctx context.Context) error {
	hand, err := b.byHand(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(hand.dir)
	ours := func() (time.Duration, error) {
		return untilLine(exec.Command(b.banger, "-q", "vm", "run", "--rm", "--image", "debian", "--kernel", b.kernel, "--", "uname", "-r"), hand.release)
	}
	theirs := func() (time.Duration, error) { return hand.untilLine(ctx) }
	a, h, err := inTurn(b.pairs, ours, theirs)
	if err != nil {
		return err
	}
	fmt.Printf("vm run --rm -- uname -r, to its output: %v\n", a)
	fmt.Printf("the same guest by hand, by its init:     %v\n", h)
	fmt.Printf("ratio %.2f (%s, kernel %s)\n", ratio(a, h), hand.accel, hand.release)
	return nil
}

// untilLine runs a command until it prints a line with text, and ends it.
func untilLine(cmd *exec.Cmd, text string) (time.Duration, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			took := time.Since(begin)
			cmd.Process.Signal(os.Interrupt)
			for lines.Scan() { // lets it end in peace
			}
			cmd.Wait()
			return took, nil
		}
	}
	return 0, fmt.Errorf("%s ended without %q: %w", cmd.Path, text, cmd.Wait())
}

// handmade is a guest to be started by hand.
type handmade struct {
	dir     string
	rootfs  string // of the image
	release string
	accel   string
	backend vmm.Backend
	config  vmm.Config
}

// untilLine starts the VMM, waits until the guest's init speaks, and ends it.
func (h handmade) untilLine(ctx context.Context) (time.Duration, error) {
	network, err := usernet.New(usernet.Options{})
	if err != nil {
		return 0, err
	}
	defer network.Close()
	if err := greet(network); err != nil {
		return 0, err
	}
	console, guest := io.Pipe()
	config := h.config
	config.Console, config.Log = guest, os.Stderr
	begin := time.Now()
	machine, err := h.backend.Start(ctx, config, network)
	if err != nil {
		return 0, err
	}
	go func() {
		machine.Wait()
		guest.Close()
	}()
	lines, last := bufio.NewScanner(console), ""
	for lines.Scan() {
		last = lines.Text()
		if strings.Contains(last, h.release) {
			took := time.Since(begin)
			machine.Kill()
			io.Copy(io.Discard, console)
			return took, nil
		}
	}
	return 0, fmt.Errorf("the guest made by hand ended with the words %q", last)
}

// greet does for the agent in the guest what it cannot go on without.
func greet(network *usernet.Network) error {
	listener, err := network.Listen(agentapi.LinkPort)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, conn)
		}
	}()
	return nil
}

// byHand makes the kernel, initramfs and disks that vm run would use, but that
// the image's init prints the kernel's release.
func (b bench) byHand(ctx context.Context) (h handmade, err error) {
	dirs, err := statedir.Default()
	if err != nil {
		return h, err
	}
	k, err := kernel.NewStore(dirs.KernelTree(), "").Get(b.kernel)
	if err != nil {
		return h, err
	}
	h.backend = qemu.New(qemu.Options{})
	info, err := h.backend.Probe(ctx)
	if err != nil {
		return h, err
	}
	if h.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return h, err
	}
	store := vm.NewStore(statedir.Tree{Kind: "vm", Dir: h.dir})
	v, err := store.Create(ctx, vm.VM{Name: "hand", CPUs: 2, MemoryMiB: 1024, DiskBytes: 8 << 30}, dirs.ImageTree().Path("debian", statedir.Rootfs))
	if err != nil {
		return h, err
	}
	rootfs := filepath.Join(h.dir, "rootfs")
	if out, err := exec.Command("cp", "--sparse=always", dirs.ImageTree().Path("debian", statedir.Rootfs), rootfs).CombinedOutput(); err != nil {
		return h, fmt.Errorf("copy the image: %w: %s", err, out)
	}
	h.rootfs = rootfs
	if err := h.setInit("#!/bin/sh\nuname -r > /dev/console\nexec sleep 1000\n"); err != nil {
		return h, err
	}
	mac, err := net.ParseMAC(v.MAC)
	if err != nil {
		return h, err
	}
	h.release, h.accel = k.KernelVersion, info.Accel
	h.config = vmm.Config{
		Name: v.Name, Kernel: k.Vmlinux(), Initrd: filepath.Join(h.dir, "initramfs"), CPUs: v.CPUs, MemoryMiB: v.MemoryMiB, MAC: mac,
		Cmdline: []string{"quiet", "net.ifnames=0", "panic=-1"},
		Disks:   []vmm.Disk{{Path: rootfs, ReadOnly: true}, {Path: filepath.Join(h.dir, v.Name, statedir.Disk)}},
	}
	keys, err := store.Keys(v.Name)
	if err != nil {
		return h, err
	}
	settings := agentapi.Settings{Hostname: v.Name, MachineID: v.MachineID, HostKey: string(keys.HostPEM),
		AuthorizedKey: keys.ClientLine(), Seed: make([]byte, 64), MAC: v.MAC, DNS: agentapi.GatewayIP, Root: agentapi.Root{Image: "/dev/vda", Disk: "/dev/vdb"}}
	if image := k.ModulesImage(); image != "" {
		h.config.Disks = append(h.config.Disks, vmm.Disk{Path: image, ReadOnly: true})
		settings.Root.Modules, settings.Root.KernelRelease = "/dev/vdc", k.KernelVersion
	}
	return h, writeInitramfs(h.config.Initrd, k, settings)
}

func writeInitramfs(path string, k kernel.Kernel, settings agentapi.Settings) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return initramfs.Build(f, initramfs.Options{Initrd: k.Initrd(), ModulesDir: k.ModulesDir(), Settings: settings})
}

// setInit makes a script the init of the guest's image.
func (h handmade) setInit(text string) error {
	script := h.rootfs + ".init"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return err
	}
	requests := "rm /usr/sbin/init\nwrite " + script + " /usr/sbin/init\nsif /usr/sbin/init mode 0100755\n"
	debugfs := exec.Command("debugfs", "-w", "-f", "/dev/stdin", h.rootfs)
	debugfs.Stdin = strings.NewReader(requests)
	if out, err := debugfs.CombinedOutput(); err != nil {
		return fmt.Errorf("replace the init: %w: %s", err, out)
	}
	return nil
}

// socketPair returns the two ends of a guest's network cable.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "cable"), os.NewFile(uintptr(fds[1]), "cable")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	return conn, theirs, err
}
