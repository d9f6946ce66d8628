package qemu

import (
	"fmt"
	"strconv"
	"strings"

	"banger/internal/agentapi"
	"banger/internal/vmm"
)

// Setup is what a QEMU is started with beside its VM's configuration. Its
// descriptors are numbers, of which 0 is none.
type Setup struct {
	Network int // socket with the guest's frames; without it there is no network card
	Monitor int // socket for QMP

	// Memory is the file with the memory of a guest that does not boot: its state
	// comes by the monitor, and it waits there. What it writes to its memory goes
	// to the file where Shared is set, and to nobody otherwise. It has its kernel in
	// there.
	Memory string
	Shared bool
	// NoDisks gives the guest disks that hold nothing, in place of its own.
	NoDisks bool
}

// Args is the command line, without the program, for a VM.
//
// See kernelArgs for what the guest's kernel gets beside cfg.Cmdline.
func Args(cfg vmm.Config, accel string, setup Setup) []string {
	args := []string{
		"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
		"-name", escape(cfg.Name),
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	}
	args = append(args, machineArgs(accel)...)
	args = append(args,
		"-smp", strconv.Itoa(cfg.CPUs),
		"-m", fmt.Sprintf("%dM", cfg.MemoryMiB),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-device,rng=rng",
	)
	if setup.Memory == "" {
		args = append(args,
			"-kernel", cfg.Kernel,
			"-initrd", cfg.Initrd,
			"-append", strings.Join(append(kernelArgs(accel), cfg.Cmdline...), " "),
		)
	}
	for i, disk := range cfg.Disks {
		args = append(args, diskArgs(i, disk, setup.NoDisks)...)
	}
	if setup.Network > 0 {
		args = append(args,
			"-netdev", fmt.Sprintf("stream,id=net0,addr.type=fd,addr.str=%d", setup.Network),
			"-device", fmt.Sprintf("virtio-net-device,netdev=net0,mac=%s,host_mtu=%d", cfg.MAC, agentapi.MTU),
		)
	}
	if setup.Monitor > 0 {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", setup.Monitor), "-qmp", "chardev:monitor")
	}
	if setup.Memory != "" {
		args = append(args, memoryArgs(cfg, setup)...)
	}
	return args
}

// memoryArgs puts a guest's memory into a file, under the name that it has
// without one: a guest's state names it.
func memoryArgs(cfg vmm.Config, setup Setup) []string {
	share := "off"
	if setup.Shared {
		share = "on"
	}
	return []string{
		"-object", fmt.Sprintf("memory-backend-file,id=microvm.ram,size=%dM,share=%s,mem-path=%s", cfg.MemoryMiB, share, escape(setup.Memory)),
		"-machine", "memory-backend=microvm.ram",
		"-incoming", "defer", "-S",
	}
}

// machineArgs chooses the board. Its devices are found by ACPI, for which every
// kernel is built. A kernel waits seconds for a clock chip (RTC) that is not
// there. KVM's guests have KVM's timers and do not need the old ones. By QEMU 11 the
// old timer can interrupt an emulated guest too early, by the old interrupt controller,
// and end it. Without that one the network of a busy guest came to a halt by QEMU 7.2.
//
// What has been translated is kept in 128 MiB, of which a guest that has booted fills a
// third. QEMU's own bound is 1 GiB, which one fills that installs a few packages.
//
// Two features of the processor are slow to emulate: "fast" string operations,
// which go byte by byte, and a fifth level of page tables. Those for short strings
// (fsrm), which QEMU has from 8.1 on, imply those for all (erms): a kernel with
// one of the two alone never returns from moving memory.
func machineArgs(accel string) []string {
	if accel == vmm.KVM {
		return []string{"-machine", "microvm,acpi=on,pit=off,pic=off,rtc=on", "-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-machine", "microvm,acpi=on,pit=on,pic=on,rtc=on", "-accel", "tcg,thread=multi,tb-size=128", "-cpu", "max,erms=off,fsrm=off,la57=off"}
}

// kernelArgs tells the guest's kernel of the board: its console is QEMU's
// standard output, and a triple fault resets it, which ends QEMU.
//
// Under emulation, the time stamp counter is the host's and good on every
// processor, which the kernel would doubt, and the kernel's tests of its own
// ciphers would take a fifth of its boot. The agent starts all processors but
// the first: while it boots, the kernel changes its own code, which QEMU before
// 8.1 now and then runs on another processor as it was half-way.
func kernelArgs(accel string) []string {
	args := []string{"console=ttyS0", "reboot=t"}
	if accel == vmm.TCG {
		args = append(args, "tsc=reliable", "cryptomgr.notests", "maxcpus=1", "noreplace-smp")
	}
	return args
}

// diskArgs attaches a disk. What the guest has flushed is on the host's disk,
// as a drive with a write cache keeps it. The guest hears of the host's errors:
// QEMU would otherwise stop it where the host's disk is full.
func diskArgs(i int, disk vmm.Disk, nothing bool) []string {
	node := fmt.Sprintf("driver=raw,node-name=disk%d,file.driver=file,file.filename=%s", i, escape(disk.Path))
	if nothing {
		node = fmt.Sprintf("driver=raw,node-name=disk%d,file.driver=null-co", i)
	}
	if disk.ReadOnly {
		node += ",read-only=on"
	} else {
		node += ",discard=unmap"
	}
	return []string{"-blockdev", node, "-device", fmt.Sprintf("virtio-blk-device,drive=disk%d,werror=report,rerror=report", i)}
}

// escape makes text safe as a value in QEMU's comma-separated options.
func escape(text string) string { return strings.ReplaceAll(text, ",", ",,") }
