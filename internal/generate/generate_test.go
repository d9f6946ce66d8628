package generate

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"banger/internal/ports"
)

var update = flag.Bool("update", false, "write the golden files")

// hostile are words that one format or another has a use of its own for.
var hostile = []string{
	"", " ", "%n %% %", "$HOME ${HOME} $$ $(HOME) $${HOME}", "%{ if true }%{ endif }", `"'\`, `\x41 \n \`, "a\nb\r\tc\x01\x7f",
	";", "#", "-", "--", "yes", "1e3", "0x10", "null", "~", "{a: b}", "[x]", "&x *y !z |", "---\nkind: Secret", "ü→🦀", "`id`", "<&>",
}

func full() Job {
	loopback, all := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("0.0.0.0")
	return Job{
		Name: "web.1", Command: append([]string{"vm", "run", "--"}, hostile...), Restart: Always,
		Host: Host{Banger: "/opt/my tools/100%/banger", Env: []string{"PATH=/bin:/usr/bin", "XDG_STATE_HOME=/a b/$c"}, User: "me"},
		Container: Container{
			Image: "registry.example/banger:1", KVM: "devices.kubevirt.io/kvm", Replicas: 1, CPUs: 2, MemoryMiB: 1024, DiskBytes: 8 << 30, VolumeBytes: 1<<30 + 1,
			Ports: []ports.Spec{
				{HostIP: loopback, HostPort: 8080, GuestPort: 80, Protocol: "tcp"},
				{HostIP: all, GuestPort: 53, Protocol: "udp"},
				{HostIP: netip.IPv6Loopback(), HostPort: 443, GuestPort: 443, Protocol: "tcp"},
			},
		},
	}
}

func plain() Job {
	return Job{
		Name: "job", Command: []string{"vm", "run", "--foreground", "--rm", "--", "make", "test"}, Restart: OnFailure,
		Host:      Host{Banger: "/usr/bin/banger", Builds: true},
		Container: Container{Image: "localhost/banger", Replicas: 100, CPUs: 1, MemoryMiB: 512, DiskBytes: 1 << 30},
	}
}

func text(t *testing.T, j Job, format string) string {
	t.Helper()
	if format == "quadlet" { // which has no way to say them
		j.Command = slices.DeleteFunc(slices.Clone(j.Command), func(word string) bool { return word == "" || word == ";" })
	}
	got, err := j.Text(format)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestGolden(t *testing.T) {
	for name, j := range map[string]Job{"full": full(), "plain": plain()} {
		for _, format := range Formats {
			path := filepath.Join("testdata", name+"."+format)
			got := text(t, j, format)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got, go test -update writes it anew):\n%s", path, diff)
			}
		}
	}
}

// What Kubernetes and Nomad run is the same words, once they have taken out what
// they have uses of their own for.
func TestWordsInClusters(t *testing.T) {
	j := full()
	var nomad struct {
		Job struct {
			TaskGroups []struct {
				Tasks []struct{ Config struct{ Args []string } }
			}
		}
	}
	if err := json.Unmarshal([]byte(text(t, j, "nomad")), &nomad); err != nil {
		t.Fatal(err)
	}
	args := nomad.Job.TaskGroups[0].Tasks[0].Config.Args
	for i := range args {
		args[i] = strings.NewReplacer("$${", "${", "%%{", "%{").Replace(args[i])
	}
	if diff := cmp.Diff(j.Command, args); diff != "" {
		t.Errorf("nomad (-want +got):\n%s", diff)
	}

	d := yaml.NewDecoder(strings.NewReader(text(t, j, "kubernetes")))
	var kinds []string
	for {
		var o struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct{ Containers []struct{ Args []string } }
				}
			}
		}
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, o.Kind)
		for _, c := range o.Spec.Template.Spec.Containers {
			for i := range c.Args {
				c.Args[i] = strings.ReplaceAll(c.Args[i], "$$", "$")
			}
			if diff := cmp.Diff(j.Command, c.Args); diff != "" {
				t.Errorf("kubernetes (-want +got):\n%s", diff)
			}
		}
	}
	if want := []string{"Deployment", "Service", "PersistentVolumeClaim"}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

// systemd itself finds nothing to say of the units.
func TestSystemdVerifies(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("needs systemd-analyze")
	}
	for name, j := range map[string]Job{"full": full(), "plain": plain()} {
		for _, manager := range []string{"--user", "--system"} {
			j.Host.Banger, j.Host.User = "/bin/true", ""
			if manager == "--system" {
				j.Host.User = "root"
			}
			dir := t.TempDir()
			path := filepath.Join(dir, name+".service")
			if err := os.WriteFile(path, []byte(text(t, j, "systemd")), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", manager, path)
			cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "SYSTEMD_LOG_LEVEL=notice")
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), path) {
				t.Errorf("%s %s: %v\n%s", name, manager, err, out)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*Job){
		"policy":   func(j *Job) { j.Restart = "sometimes" },
		"replicas": func(j *Job) { j.Replicas = 2 },
		"bytes":    func(j *Job) { j.Command = []string{"\xff"} },
		"zero":     func(j *Job) { j.Host.Env = []string{"A=\x00"} },
	} {
		j := full()
		change(&j)
		for _, format := range Formats {
			if got, err := j.Text(format); err == nil {
				t.Errorf("%s: %s wrote %q", name, format, got)
			}
		}
	}
	for _, word := range []string{"", ";"} {
		j := plain()
		j.Command = append(j.Command, word)
		if got, err := j.Text("quadlet"); err == nil {
			t.Errorf("the word %q: quadlet wrote %q", word, got)
		}
	}
	if _, err := full().Text("upstart"); err == nil {
		t.Error("there is another format")
	}
}

func TestLabel(t *testing.T) {
	for name, want := range map[string]string{
		"web": "web", "web.1_A": "web-1-a", "1": "vm-1", "...": "vm", strings.Repeat("a.", 60): strings.Repeat("a-", 25)[:49],
	} {
		if got := label(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
