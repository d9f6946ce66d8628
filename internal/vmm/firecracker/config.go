package firecracker

import (
	"encoding/json"
	"fmt"
	"strings"

	"banger/internal/jail"
	"banger/internal/vmm"
)

// The types are those of FullVmConfiguration in Firecracker's API description
// (src/firecracker/swagger/firecracker.yaml), as far as banger uses it.

type configuration struct {
	BootSource        bootSource         `json:"boot-source"`
	MachineConfig     machineConfig      `json:"machine-config"`
	Drives            []drive            `json:"drives"`
	NetworkInterfaces []networkInterface `json:"network-interfaces"`
	Entropy           struct{}           `json:"entropy"` // a virtio-rng device
}

type bootSource struct {
	KernelImagePath string `json:"kernel_image_path"`
	InitrdPath      string `json:"initrd_path"`
	BootArgs        string `json:"boot_args"`
}

type machineConfig struct {
	VCPUCount  int `json:"vcpu_count"`
	MemSizeMiB int `json:"mem_size_mib"`
}

type drive struct {
	DriveID      string `json:"drive_id"`
	PathOnHost   string `json:"path_on_host"`
	IsReadOnly   bool   `json:"is_read_only"`
	IsRootDevice bool   `json:"is_root_device"`
	CacheType    string `json:"cache_type"`
}

type networkInterface struct {
	IfaceID     string `json:"iface_id"`
	GuestMAC    string `json:"guest_mac"`
	HostDevName string `json:"host_dev_name"`
}

// maxCPUs is the most that Firecracker gives a guest.
const maxCPUs = 32

// kernelArgs tell the guest's kernel of the board: its console is Firecracker's
// standard output, and a reset by the keyboard controller ends Firecracker.
// There is no such controller beside that, nor any PCI bus to look for.
const kernelArgs = "console=ttyS0 reboot=k i8042.noaux i8042.nomux i8042.dumbkbd"

// diskName is the link in the VM's directory that leads to a disk: a saved guest
// names its disks, and goes on where other files are.
func diskName(i int) string { return fmt.Sprintf("firecracker.disk%d", i) }

// Config is Firecracker's configuration for a VM whose network is the TAP device
// of its jail. None of the drives is the root device to Firecracker, which would
// put it first and name it on the kernel's command line.
func Config(cfg vmm.Config) ([]byte, error) {
	if cfg.CPUs > maxCPUs {
		return nil, fmt.Errorf("%d CPUs are more than the %d that firecracker gives a guest", cfg.CPUs, maxCPUs)
	}
	c := configuration{
		BootSource: bootSource{
			KernelImagePath: cfg.Kernel,
			InitrdPath:      cfg.Initrd,
			BootArgs:        strings.Join(append([]string{kernelArgs}, cfg.Cmdline...), " "),
		},
		MachineConfig:     machineConfig{VCPUCount: cfg.CPUs, MemSizeMiB: cfg.MemoryMiB},
		NetworkInterfaces: []networkInterface{{IfaceID: "eth0", GuestMAC: cfg.MAC.String(), HostDevName: jail.Tap}},
	}
	for i, disk := range cfg.Disks {
		c.Drives = append(c.Drives, drive{
			DriveID:    fmt.Sprintf("disk%d", i),
			PathOnHost: diskName(i),
			IsReadOnly: disk.ReadOnly,
			CacheType:  "Writeback", // what the guest has flushed is on the host's disk
		})
	}
	return json.MarshalIndent(c, "", "  ")
}
