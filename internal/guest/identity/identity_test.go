package identity

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/agentapi"

	"github.com/google/go-cmp/cmp"
)

func TestHosts(t *testing.T) {
	for _, tt := range []struct{ name, old, want string }{
		{
			"absent", "",
			"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tbox\n",
		}, {
			"the image's own name", "127.0.0.1 localhost\n127.0.1.1 builder\n10.0.0.1 other # kept\n",
			"127.0.0.1 localhost\n10.0.0.1 other # kept\n127.0.1.1\tbox\n",
		}, {
			"no newline at the end", "127.0.0.1 localhost",
			"127.0.0.1 localhost\n127.0.1.1\tbox\n",
		}, {
			"again", "127.0.0.1\tlocalhost\n127.0.1.1\tbox\n",
			"127.0.0.1\tlocalhost\n127.0.1.1\tbox\n",
		},
	} {
		if diff := cmp.Diff(tt.want, hosts(tt.old, "box", nil)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestFstab(t *testing.T) {
	old := `# / was on /dev/sda1
UUID=1234 / ext4 errors=remount-ro 0 1
/dev/sda2 none swap sw 0 0
LABEL=data /data xfs defaults 0 0
PARTUUID=12 /boot/efi vfat umask=0077 0 1
overlay / overlay rw 0 0
none /boot tmpfs rw 0 0
/swapfile none swap sw 0 0
tmpfs /tmp tmpfs mode=1777 0 0
server:/share /mnt nfs noauto 0 0
/srv /home none bind 0 0

short line`
	want := `# / was on /dev/sda1
# not in this VM: UUID=1234 / ext4 errors=remount-ro 0 1
# not in this VM: /dev/sda2 none swap sw 0 0
# not in this VM: LABEL=data /data xfs defaults 0 0
# not in this VM: PARTUUID=12 /boot/efi vfat umask=0077 0 1
# not in this VM: overlay / overlay rw 0 0
# not in this VM: none /boot tmpfs rw 0 0
# not in this VM: /swapfile none swap sw 0 0
tmpfs /tmp tmpfs mode=1777 0 0
server:/share /mnt nfs noauto 0 0
/srv /home none bind 0 0

short line`
	got := fstab(old)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := fstab(got); again != got {
		t.Errorf("a second time it changes again:\n%s", again)
	}
}

var settings = agentapi.Settings{Hostname: "box", MachineID: "0123456789abcdef0123456789abcdef", DNS: "192.168.127.1"}

// read returns the regular files below root.
func read(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// An image with a single program gets what programs look for, and no more.
func TestApplyToBareImage(t *testing.T) {
	root := t.TempDir()
	if errs := Apply(root, settings); len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]string{
		"etc/hostname":    "box\n",
		"etc/hosts":       hosts("", "box", nil),
		"etc/resolv.conf": "nameserver 192.168.127.1\n",
	}
	if diff := cmp.Diff(want, read(t, root)); diff != "" {
		t.Error(diff)
	}
}

func TestApplyToSystemdImage(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/systemd":  "",
		"etc/hostname":             "builder\n",
		"etc/hosts":                "127.0.0.1 localhost\n127.0.1.1 builder\n",
		"etc/fstab":                "/dev/sda1 / ext4 defaults 0 1\n",
		"etc/machine-id":           "uninitialized\n",
		"var/lib/dbus/machine-id":  "ffffffffffffffffffffffffffffffff\n",
		"run/systemd/stub-resolv":  "nameserver 127.0.0.53\n",
		"etc/unrelated":            "kept",
		"usr/share/elsewhere/file": "kept",
	} {
		write(t, root, name, text)
	}
	if err := os.Symlink("../run/systemd/stub-resolv", filepath.Join(root, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if errs := Apply(root, settings); len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]string{
		"usr/lib/systemd/systemd":  "",
		"etc/hostname":             "box\n",
		"etc/hosts":                "127.0.0.1 localhost\n127.0.1.1\tbox\n",
		"etc/fstab":                "# not in this VM: /dev/sda1 / ext4 defaults 0 1\n",
		"etc/machine-id":           settings.MachineID + "\n",
		"var/lib/dbus/machine-id":  settings.MachineID + "\n",
		"etc/resolv.conf":          "nameserver 192.168.127.1\n",
		"run/systemd/stub-resolv":  "nameserver 127.0.0.53\n",
		"etc/unrelated":            "kept",
		"usr/share/elsewhere/file": "kept",
	}
	if diff := cmp.Diff(want, read(t, root)); diff != "" {
		t.Error(diff)
	}
}

// Links in /etc of an image may dangle or be absolute.
func TestApplyReplacesLinks(t *testing.T) {
	root := t.TempDir()
	write(t, root, "elsewhere", "kept")
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{
		"resolv.conf": "/run/absent/resolv.conf", "hostname": filepath.Join(root, "elsewhere"), "machine-id": "absent",
	} {
		if err := os.Symlink(to, filepath.Join(root, "etc", name)); err != nil {
			t.Fatal(err)
		}
	}
	if errs := Apply(root, settings); len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]string{
		"elsewhere":       "kept",
		"etc/hostname":    "box\n",
		"etc/hosts":       hosts("", "box", nil),
		"etc/machine-id":  settings.MachineID + "\n",
		"etc/resolv.conf": "nameserver 192.168.127.1\n",
	}
	if diff := cmp.Diff(want, read(t, root)); diff != "" {
		t.Error(diff)
	}
}

// What cannot be edited is told, one error a file, and the rest is done.
func TestApplyGoesOn(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/hosts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if errs := Apply(root, settings); len(errs) != 1 {
		t.Errorf("got %d errors, want one: %v", len(errs), errs)
	}
	if got := read(t, root)["etc/resolv.conf"]; got != "nameserver 192.168.127.1\n" {
		t.Errorf("resolv.conf is %q", got)
	}
	write(t, root, "file", "")
	if errs := Apply(filepath.Join(root, "file"), settings); len(errs) == 0 {
		t.Error("no error where there can be no /etc")
	}
}

func TestResolver(t *testing.T) {
	with := settings
	with.Search, with.Dots = []string{"lan", "example.com"}, 2
	if got, want := resolver(with), "nameserver 192.168.127.1\nsearch lan example.com\noptions ndots:2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	with.Networks = []string{"10.1.0.2/24"}
	if got, want := resolver(with), "nameserver 192.168.127.1\nsearch banger.internal lan example.com\noptions ndots:2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A machine on a network is at its address there, and a copy of it at its own.
func TestHostsOnNetworks(t *testing.T) {
	first := hosts("127.0.0.1 localhost\n127.0.1.1 image\n", "box", []string{"10.1.0.2/24", "10.2.0.2/24"})
	if want := "127.0.0.1 localhost\n10.1.0.2\tbox.banger.internal box\t" + ownLine + "\n"; first != want {
		t.Errorf("got %q", first)
	}
	copied := hosts(first, "copy", []string{"10.1.0.9/24"})
	if strings.Contains(copied, "10.1.0.2") || !strings.Contains(copied, "10.1.0.9\tcopy.") {
		t.Errorf("a copy has %q", copied)
	}
}
