package supervisor

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"

	"banger/internal/agentapi"
	"banger/internal/initramfs"
	"banger/internal/statedir"
	"banger/internal/usernet"
	"banger/internal/vm"
	"banger/internal/vmm"
)

// seedSize is the size of a guest's random seed in bytes: a crypto pool's.
const seedSize = 64

// config describes the VM to the backend. The order of the disks is the
// agent's: see settings.
func (s *supervisor) config() vmm.Config {
	v := s.spec()
	mac, _ := net.ParseMAC(v.MAC)
	c := vmm.Config{
		Name:      s.Name,
		Kernel:    s.Kernel.Vmlinux(),
		Initrd:    s.VMs.Path(s.Name, statedir.Initramfs),
		Cmdline:   []string{"quiet", "net.ifnames=0", "panic=-1"},
		CPUs:      v.CPUs,
		MemoryMiB: v.MemoryMiB,
		MAC:       mac,
		Console:   s.console,
		Log:       s.Log,
		DiskError: s.diskError,
		Dir:       s.VMs.Path(s.Name, ""),
		Disks: []vmm.Disk{
			{Path: s.Rootfs, ReadOnly: true},
			{Path: s.VMs.Path(s.Name, statedir.Disk)},
		},
	}
	if modules := s.Kernel.ModulesImage(); modules != "" {
		c.Disks = append(c.Disks, vmm.Disk{Path: modules, ReadOnly: true})
	}
	for _, v := range s.volumes {
		c.Disks = append(c.Disks, vmm.Disk{Path: v.File, ReadOnly: v.ReadOnly})
	}
	return c
}

func (s *supervisor) settings(keys vm.Keys) agentapi.Settings {
	v := s.spec()
	seed := make([]byte, seedSize)
	rand.Read(seed)
	settings := agentapi.Settings{
		Hostname:      s.Name,
		MachineID:     v.MachineID,
		HostKey:       string(keys.HostPEM),
		AuthorizedKey: keys.ClientLine(),
		Seed:          seed,
		MAC:           v.MAC,
		DNS:           agentapi.GatewayIP,
		Networks:      s.addresses(),
		NoInit:        s.NoInit,
		StopSignal:    s.StopSignal,
		Secrets:       s.guestSecrets,
		Copied:        s.vm.Copied,
		Swap:          swap(v.MemoryMiB),
		Root:          agentapi.Root{Image: device(0), Disk: device(1)},
	}
	settings.Search, settings.Dots = usernet.HostSearch()
	if s.Kernel.ModulesImage() != "" {
		settings.Root.Modules = device(2)
		settings.Root.KernelRelease = s.Kernel.KernelVersion
	}
	for i, v := range s.volumes {
		settings.Volumes = append(settings.Volumes, agentapi.Volume{
			Name: v.Name, Device: device(s.firstVolume() + i), Path: v.Path, ReadOnly: v.ReadOnly,
		})
	}
	return settings
}

// smallGuest is the memory of the largest guest, in MiB, that gets swap.
const smallGuest = 2048

// swap is what a guest with so much memory gets, half as much. Compressed, that takes
// a sixth or so of its memory at the most.
func swap(memoryMiB int) *agentapi.Swap {
	if memoryMiB > smallGuest {
		return nil
	}
	return &agentapi.Swap{Bytes: int64(memoryMiB) << 20 / 2}
}

// firstVolume is the number of the disk that is the VM's first volume.
func (s *supervisor) firstVolume() int {
	if s.Kernel.ModulesImage() != "" {
		return 3
	}
	return 2
}

// device is the guest's name of one of its disks.
func device(number int) string { return fmt.Sprintf("/dev/vd%c", 'a'+number) }

// addresses are the guest's in networks.
func (s *supervisor) addresses() (all []string) {
	for _, p := range s.Places {
		all = append(all, p.Address.String())
	}
	return all
}

func (s *supervisor) writeInitramfs(keys vm.Keys, mounts []vm.Mount) (err error) {
	f, err := os.OpenFile(s.VMs.Path(s.Name, statedir.Initramfs), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the initramfs: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	settings := s.settings(keys)
	settings.Mounts = mountSettings(mounts)
	buffered := bufio.NewWriterSize(f, 1<<20)
	err = initramfs.Build(buffered, initramfs.Options{
		Initrd:     s.Kernel.Initrd(),
		ModulesDir: s.Kernel.ModulesDir(),
		Settings:   settings,
	})
	if err != nil {
		return fmt.Errorf("write the initramfs: %w", err)
	}
	return buffered.Flush()
}
