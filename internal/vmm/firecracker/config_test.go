package firecracker

import (
	"flag"
	"net"
	"os"
	"path/filepath"
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
	Disks:     []vmm.Disk{{Path: "/i/rootfs.ext4", ReadOnly: true}, {Path: `/v/a "disk".ext4`}},
}

func TestConfig(t *testing.T) {
	golden := filepath.Join("testdata", "config.json")
	got, err := Config(sample)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the configuration is\n%s\nwant, by %s,\n%s", got, golden, want)
	}
	many := sample
	many.CPUs = 33
	if _, err := Config(many); err == nil || !strings.Contains(err.Error(), "more than the 32") {
		t.Errorf("33 CPUs: %v", err)
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]string{
		"Firecracker v1.14.4\n\n2026-11-23T07:37:56 [anonymous] exiting": "1.14.4",
		"Firecracker v1.15.0-dev\n":                                      "1.15.0-dev",
		"Firecracker 1\n":                                                "",
		"QEMU emulator version 7.2.22":                                   "",
	} {
		if got, ok := version(text); got != want || ok != (want != "") {
			t.Errorf("version(%q) = %q, %v", text, got, ok)
		}
	}
	for _, test := range []struct {
		a, b  string
		older bool
	}{
		{"1.7.9", "1.8.0", true},
		{"1.8.0", "1.8.0", false},
		{"1.14.4", "1.8.0", false},
		{"0.99.0", "1.0.0", true},
		{"2.0.0-dev", "1.8.0", false},
	} {
		if isOlder(test.a, test.b) != test.older {
			t.Errorf("isOlder(%s, %s) = %v", test.a, test.b, !test.older)
		}
	}
}
