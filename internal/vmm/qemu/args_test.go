package qemu

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"banger/internal/vmm"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var sample = vmm.Config{
	Name:      "web",
	Kernel:    "/k/vmlinux",
	Initrd:    "/v/initramfs",
	Cmdline:   []string{"quiet", "panic=-1"},
	CPUs:      2,
	MemoryMiB: 1024,
	MAC:       net.HardwareAddr{2, 0, 0, 0, 0, 1},
	Disks:     []vmm.Disk{{Path: "/i/rootfs.ext4", ReadOnly: true}, {Path: "/v/disk.ext4"}},
}

func TestArgs(t *testing.T) {
	odd := sample
	odd.Name = "odd,name"
	odd.Disks = []vmm.Disk{{Path: "/v/a,b=c disk"}}
	for name, args := range map[string][]string{
		"kvm":        Args(sample, vmm.KVM, Setup{Network: 3, Monitor: 4}),
		"tcg":        Args(sample, vmm.TCG, Setup{Network: 3, Monitor: 4}),
		"no-network": Args(odd, vmm.TCG, Setup{}),
		"restore":    Args(sample, vmm.TCG, Setup{Network: 3, Monitor: 4, Memory: "/s/memory"}),
		"sink":       Args(sample, vmm.TCG, Setup{Network: 3, Monitor: 4, Memory: "/s/a,b", Shared: true, NoDisks: true}),
	} {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".args")
			got := strings.Join(args, "\n") + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the arguments are\n%swant, by %s,\n%s", got, golden, want)
			}
		})
	}
}

func TestArgsLeaveTheConfigAlone(t *testing.T) {
	cfg := sample
	cfg.Cmdline = append(make([]string, 0, 10), "quiet")
	Args(cfg, vmm.TCG, Setup{Network: 3, Monitor: 4})
	if beyond := cfg.Cmdline[:2][1]; beyond != "" {
		t.Errorf("Args wrote %q behind the command line", beyond)
	}
}

func TestKernelArgsComeBeforeTheConfigs(t *testing.T) {
	args := Args(sample, vmm.TCG, Setup{})
	line := args[slices.Index(args, "-append")+1]
	if !strings.HasPrefix(line, "console=ttyS0 ") || !strings.HasSuffix(line, " quiet panic=-1") {
		t.Errorf("the command line is %q: the last of two settings holds, which must be the config's", line)
	}
}
