package kernel

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"banger/internal/process"
	"banger/internal/statedir"
)

// archive is an archive of packages in a directory, which the host's apt is
// told to use in place of its own.
type archive struct {
	t        *testing.T
	dir      string
	packages strings.Builder
}

// newArchive makes an archive. The host's apt has no other but for the lines
// in sources, and is configured by config beside.
func newArchive(t *testing.T, options, config string, sources ...string) *archive {
	t.Helper()
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := process.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
	a := &archive{t: t, dir: filepath.Join(t.TempDir(), "archive")}
	own := fmt.Sprintf("deb [%s] file:%s ./", options, a.dir)
	list := put(t, t.TempDir()+"/sources.list", []byte(strings.Join(append(sources, own), "\n")+"\n"))
	t.Setenv("APT_CONFIG", put(t, t.TempDir()+"/apt.conf", fmt.Appendf(nil,
		"Dir::Etc::sourcelist %q;\nDir::Etc::sourceparts \"/dev/null\";\nAcquire::Retries \"0\";\n%s", list, config)))
	a.add("linux-image-test", "linux-image-"+release+" (= 1.0), linux-headers-test", nil)
	a.add("linux-image-"+release, "kmod, linux-base (>= 4) | linux-base:any", map[string]string{
		"boot/vmlinuz-" + release:                           string(bzimage(compressions(t, vmlinux())["zstd"])),
		"boot/config-" + release:                            "CONFIG_X=y\n",
		"lib/modules/" + release + "/modules.builtin":       "kernel/fs/ext4/ext4.ko\n",
		"usr/lib/modules/" + release + "/kernel/README":     "text",
		"usr/share/doc/linux-image-" + release + "/vmlinuz": "none",
	})
	return a
}

// add builds a package and enters it into the archive's list.
func (a *archive) add(name, depends string, files map[string]string) string {
	a.t.Helper()
	control := fmt.Sprintf("Package: %s\nVersion: 1.0\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\n", name)
	if depends != "" {
		control += "Depends: " + depends + "\n"
	}
	control += "Description: a test\n more: text\n"
	tree := a.t.TempDir()
	if err := os.Chmod(tree, 0o755); err != nil {
		a.t.Fatal(err)
	}
	put(a.t, tree+"/DEBIAN/control", []byte(control))
	for path, content := range files {
		put(a.t, filepath.Join(tree, path), []byte(content))
	}
	deb := filepath.Join(a.dir, name+"_1.0_amd64.deb")
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		a.t.Fatal(err)
	}
	if _, err := process.Output(a.t.Context(), "dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, deb); err != nil {
		a.t.Fatal(err)
	}
	content, err := os.ReadFile(deb)
	if err != nil {
		a.t.Fatal(err)
	}
	fmt.Fprintf(&a.packages, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, filepath.Base(deb), len(content), sha256.Sum256(content))
	put(a.t, a.dir+"/Packages", []byte(a.packages.String()))
	return deb
}

// said collects what a pull tells.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, text)
}

func (s *said) contains(text string) bool {
	return strings.Contains(strings.Join(s.lines, "\n"), text)
}

func pull(t *testing.T, s *Store, pkg string) (Kernel, error) {
	t.Helper()
	return s.PullApt(t.Context(), AptOptions{Package: pkg, Dir: t.TempDir(), Say: (&said{}).say})
}

func TestPullApt(t *testing.T) {
	hook := filepath.Join(t.TempDir(), "hook")
	newArchive(t, "trusted=yes", fmt.Sprintf("APT::Update::Post-Invoke { \"touch %s\"; };\n", hook),
		"deb [trusted=yes] http://127.0.0.1:1/ ./", "deb [trusted=yes] file:/no/such/archive ./")
	s, dir, heard := testStore(t), t.TempDir(), &said{}
	k, err := s.PullApt(t.Context(), AptOptions{Package: "linux-image-test", Dir: dir, Say: heard.say})
	if err != nil {
		t.Fatal(err)
	}
	if k.Name != hostDistro()+"-6.1" || k.Distro != hostDistro() || k.KernelVersion != release || k.Source != "apt:linux-image-test" {
		t.Errorf("got %+v", k.Manifest)
	}
	for _, name := range []string{"modules.builtin", "kernel/README", "modules.dep.bin"} {
		if _, err := os.Stat(filepath.Join(k.ModulesDir(), name)); err != nil {
			t.Error(err)
		}
	}
	if k.ModulesImage() == "" || k.Initrd() != "" {
		t.Errorf("got %+v", k)
	}
	for _, want := range []string{"downloading linux-image-" + release + " 1.0 (", "127.0.0.1:1"} {
		if !heard.contains(want) {
			t.Errorf("did not say %q: %q", want, heard.lines)
		}
	}
	if _, err := os.Stat(hook); err == nil {
		t.Error("the host's hooks ran")
	}
	if debs, _ := filepath.Glob(dir + "/*/*.deb"); len(debs) > 0 {
		t.Errorf("left behind: %q", debs)
	}
	if _, err := pull(t, s, "linux-image-test"); !errors.Is(err, statedir.ErrExist) {
		t.Errorf("took a name twice: %v", err)
	}
	if _, err := s.PullApt(t.Context(), AptOptions{Package: "linux-image-" + release, Name: "other", Dir: dir, Say: heard.say}); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// Ubuntu and Debian from 14 on have a kernel in several packages.
func TestPullAptParts(t *testing.T) {
	a := newArchive(t, "trusted=yes", "")
	image := map[string]string{"boot/vmlinuz-" + release: string(bzimage(compressions(t, vmlinux())["lz4"]))}
	modules := map[string]string{"usr/lib/modules/" + release + "/modules.builtin": "kernel/fs/ext4/ext4.ko\n"}
	a.add("linux-virtual", "linux-image-virtual (= 1.0), linux-headers-virtual", nil)
	a.add("linux-image-virtual", "linux-image-6.8-generic", nil)
	a.add("linux-image-6.8-generic", "kmod, linux-modules-6.8-generic", image)
	a.add("linux-modules-6.8-generic", "", modules)
	a.add("linux-image-7.2-amd64", "linux-base (>= 4), linux-base-7.2-amd64, linux-binary-7.2-amd64 (= 1.0), linux-modules-7.2-amd64 (= 1.0)", nil)
	a.add("linux-base-7.2-amd64", "", modules)
	a.add("linux-binary-7.2-amd64", "linux-base-7.2-amd64", map[string]string{
		"usr/lib/modules/" + release + "/vmlinuz": image["boot/vmlinuz-"+release],
	})
	a.add("linux-modules-7.2-amd64", "linux-base-7.2-amd64", map[string]string{
		"usr/lib/modules/" + release + "/kernel/README": "text",
	})
	s := testStore(t)
	for pkg, name := range map[string]string{"linux-virtual": "-6.8", "linux-image-7.2-amd64": "-7.2"} {
		k, err := pull(t, s, pkg)
		if err != nil || k.Name != hostDistro()+name || k.ModulesDir() == "" {
			t.Errorf("%s: %+v, %v", pkg, k, err)
		}
	}
}

func TestPullAptRefuses(t *testing.T) {
	a := newArchive(t, "trusted=yes", "", "deb [trusted=yes] http://127.0.0.1:1/ ./")
	a.add("linux-image-6.1-empty", "", nil)
	a.add("linux-image-loop", "linux-image-loop", nil)
	a.add("linux-image-lost", "linux-image-6.2-lost", nil)
	a.add("linux-image-custom", "", map[string]string{"boot/vmlinuz-1": "no kernel"})
	damaged := a.add("linux-image-6.1-damaged", "", map[string]string{"boot/x": "x"})
	content, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2]++
	put(t, damaged, content)
	s := testStore(t)
	for pkg, want := range map[string]string{
		"linux-image-tets":        `no package "linux-image-tets", the nearest is "linux-image-test"`,
		"no-such-package":         "127.0.0.1:1",
		"linux-image-lost":        "linux-image-6.2-lost",
		"linux-image-loop":        "leads to no kernel",
		"linux-image-6.1-empty":   "there is no kernel in",
		"linux-image-6.1-damaged": "download package",
		"linux-image-custom":      "neither a vmlinux nor a bzImage",
		"--option":                "no name of a package",
		"a b":                     "no name of a package",
	} {
		_, err := pull(t, s, pkg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), s.tree.Dir) {
			t.Errorf("%s: %v", pkg, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.PullApt(ctx, AptOptions{Package: "linux-image-test", Dir: t.TempDir(), Say: (&said{}).say}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantEmpty(t, s)
}

func TestPullAptCancelled(t *testing.T) {
	newArchive(t, "trusted=yes", "")
	s := testStore(t)
	for _, at := range []string{"updating", "downloading", "unpacking", "packing"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.PullApt(ctx, AptOptions{Package: "linux-image-test", Dir: t.TempDir(), Say: func(text string) {
			if strings.Contains(text, at) {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("while %s: %v", at, err)
		}
	}
	wantEmpty(t, s)
}

// Only the host's keys make an archive trusted.
func TestPullAptUnsigned(t *testing.T) {
	newArchive(t, "allow-insecure=yes", "")
	s := testStore(t)
	if _, err := pull(t, s, "linux-image-test"); err == nil || !strings.Contains(err.Error(), "download package") {
		t.Errorf("took an unsigned package: %v", err)
	}
	wantEmpty(t, s)
}

func TestPullAptAtOnce(t *testing.T) {
	newArchive(t, "trusted=yes", "")
	s, dir := testStore(t), t.TempDir()
	names := []string{"a", "b", "c"}
	results := make([]error, len(names))
	var pulls sync.WaitGroup
	for i, name := range names {
		pulls.Go(func() {
			_, results[i] = s.PullApt(t.Context(), AptOptions{Package: "linux-image-test", Name: name, Dir: dir, Say: (&said{}).say})
		})
	}
	pulls.Wait()
	if err := errors.Join(results...); err != nil {
		t.Error(err)
	}
	if got, err := s.tree.Names(); err != nil || !slices.Equal(got, names) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestPullAptWithoutApt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := testStore(t)
	_, err := pull(t, s, "linux-image-test")
	var missing *process.NotFoundError
	if !errors.As(err, &missing) || missing.Program != "apt-get" {
		t.Errorf("got %v", err)
	}
	wantEmpty(t, s)
}

func TestUnpackDebRefuses(t *testing.T) {
	a := newArchive(t, "trusted=yes", "")
	deb := a.add("linux-image-6.1-cut", "", map[string]string{"boot/vmlinuz-1": strings.Repeat("x", 1000)})
	whole, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string][]byte{"empty": nil, "text": []byte("<html>"), "cut short": whole[:len(whole)-100]} {
		stage, err := testStore(t).tree.Stage()
		if err != nil {
			t.Fatal(err)
		}
		if err := unpackDeb(t.Context(), put(t, deb, content), stage); err == nil || !strings.Contains(err.Error(), "dpkg-deb") {
			t.Errorf("%s: %v", what, err)
		}
		stage.Discard()
	}
}

func TestDependency(t *testing.T) {
	f := fields{"Depends": "kmod, linux-base (>= 4.3~), linux-modules-6.8:any (= 1), initramfs-tools|linux-image-x"}
	for prefix, want := range map[string]string{"linux-modules-": "linux-modules-6.8", "linux-image-": "", "kmod": "kmod"} {
		if got := f.dependency(prefix); got != want {
			t.Errorf("%s: got %q, want %q", prefix, got, want)
		}
	}
}

func TestDefaultName(t *testing.T) {
	for _, test := range []struct{ pkg, version, want string }{
		{"linux-image-6.1.0-56-cloud-amd64", "6.1.192-2", "debian-6.1"},
		{"linux-image-unsigned-6.8.0-31-generic", "", "debian-6.8"},
		{"linux-image-custom", "6.12.3-1", "debian-6.12"},
		{"linux-image-custom", "one", ""},
	} {
		got, err := defaultName("debian", test.pkg, fields{"Version": test.version})
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v, want %q", test.pkg, got, err, test.want)
		}
	}
}
