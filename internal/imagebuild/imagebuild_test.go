package imagebuild

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/agent"
	"banger/internal/imagemgr"
	"banger/internal/statedir"
)

// fake is a VM and its guest: it notes what is asked of it.
type fake struct {
	did      []string
	packages string            // what dpkg-query prints
	status   map[string]int    // of programs, by a part of their command line
	says     map[string]string // what they print
	root     func(io.Writer) error
}

func (f *fake) Boot(_ context.Context, agentOnly bool) (Guest, error) {
	if agentOnly {
		f.did = append(f.did, "boot the agent")
	} else {
		f.did = append(f.did, "boot")
	}
	return f, nil
}

func (f *fake) Stop(context.Context) error {
	f.did = append(f.did, "stop")
	return nil
}

func (f *fake) Run(_ context.Context, p agent.Program, streams agent.Streams) (int, error) {
	line := strings.Join(p.Exec.Argv, " ")
	if p.Exec.Argv[0] == "dpkg-query" {
		_, err := io.WriteString(streams.Stdout, f.packages)
		return f.status["dpkg-query"], err
	}
	f.did = append(f.did, line)
	for part, text := range f.says {
		if strings.Contains(line, part) {
			io.WriteString(streams.Stdout, text)
		}
	}
	for part, status := range f.status {
		if strings.Contains(line, part) {
			return status, nil
		}
	}
	return 0, nil
}

func (f *fake) CopyDir(_ context.Context, dir string, names []string, target string) error {
	f.did = append(f.did, "copy "+filepath.Base(dir)+" "+strings.Join(names, ",")+" to "+target)
	return nil
}

func (f *fake) CopyFile(_ context.Context, file, target string) error {
	f.did = append(f.did, "copy "+filepath.Base(file)+" to "+target)
	return nil
}

func (f *fake) ReadRoot(_ context.Context, w io.Writer) error {
	if f.root != nil {
		return f.root(w)
	}
	tw := tar.NewWriter(w)
	content := "ID=debian\n"
	if err := tw.WriteHeader(&tar.Header{Name: "etc/os-release", Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	if _, err := io.WriteString(tw, content); err != nil {
		return err
	}
	return tw.Close()
}

func newBuilder(t *testing.T) (*Builder, *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	var out bytes.Buffer
	store := imagemgr.NewStore(statedir.Dirs{State: dir, Cache: filepath.Join(dir, "cache")})
	return &Builder{Images: store, Output: &out, Say: func(string) {}}, &out
}

var base = imagemgr.Image{
	Name: "base", Distro: "debian", Digest: "sha256:00", KernelRef: "k", Config: &imagemgr.Config{User: "u"},
}

// dpkg prints names as installed ones.
func dpkg(names ...string) string {
	var out strings.Builder
	for _, name := range names {
		out.WriteString("installed\t" + name + "\t1.0\n")
	}
	return out.String()
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFromImage(t *testing.T) {
	b, _ := newBuilder(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"setup.sh": "#!/bin/sh\n", "etc/a": "", "etc/b/c": ""})
	o := Options{
		Base: base, Name: "new", KernelRef: "k", Packages: []string{"nginx", "git"},
		Copies: []Copy{{dir + "/etc", "/etc/"}, {dir + "/setup.sh", "/opt/"}, {dir + "/setup.sh", "/opt/x"}},
		Script: dir + "/setup.sh",
	}
	there := slices.DeleteFunc(slices.Clone(imagemgr.DebianBasePackages), func(n string) bool { return n == "tree" })
	f := &fake{packages: dpkg(there...) + "config-files\ttree\t1\n"}
	i, err := b.FromImage(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	apt := strings.Join(apt().Argv, " ")
	want := []string{
		"boot", apt + " update", apt + " install --yes --no-install-recommends nginx tree",
		"true", "copy etc a,b,b/c to /etc", "copy setup.sh to /opt/setup.sh", "copy setup.sh to /opt/x",
		"copy setup.sh to /.banger-build/setup.sh",
		`sh -c chmod 755 "$1" && "$1"; status=$?; rm -rf "${1%/*}"; exit $status sh /.banger-build/setup.sh`,
		"stop", "boot the agent",
	}
	if diff := cmp.Diff(want, f.did); diff != "" {
		t.Error(diff)
	}
	if i.Distro != "debian" || i.KernelRef != "k" || i.Config.User != "u" || i.Build.BaseDigest != "sha256:00" ||
		len(i.Build.Packages) != len(there) || i.Build.PackagesDigest == "" || i.Source != "image:base" {
		t.Errorf("got %+v", i)
	}
}

// Nothing is fetched for what is there already.
func TestFromImageNeedsNoNetwork(t *testing.T) {
	b, _ := newBuilder(t)
	f := &fake{packages: dpkg(imagemgr.DebianBasePackages...)}
	if _, err := b.FromImage(t.Context(), f, Options{Base: base, Name: "new"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"boot", "stop", "boot the agent"}, f.did); diff != "" {
		t.Error(diff)
	}
}

func TestFromImageOfOtherDistribution(t *testing.T) {
	for name, tt := range map[string]struct {
		distro   string // the base's, as it is known
		told     string // /etc/os-release in the guest
		packages []string
		want     string // error
	}{
		"script only":          {distro: "alpine"},
		"packages":             {distro: "alpine", packages: []string{"x"}, want: `image "base" is of alpine: packages`},
		"unknown":              {packages: []string{"x"}, want: `image "base" is of an unknown distribution`},
		"unknown, tells":       {told: "NAME=x\nID=\"arch\"\n", packages: []string{"x"}, want: "is of arch"},
		"unknown, script only": {},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBuilder(t)
			o := Options{Base: base, Name: "new", Packages: tt.packages}
			o.Base.Distro = tt.distro
			f := &fake{status: map[string]int{"dpkg-query": 127}, says: map[string]string{"os-release": tt.told}}
			i, err := b.FromImage(t.Context(), f, o)
			if tt.want == "" && (err != nil || i.Build.Packages != nil) {
				t.Errorf("got %v, %v", i.Build, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if known := o.CheckPackages(); (known != nil) != (tt.distro != "" && tt.want != "") {
				t.Errorf("before the boot: %v", known)
			}
			if slices.ContainsFunc(f.did, func(s string) bool { return strings.HasPrefix(s, "apt-get") }) {
				t.Errorf("ran %q", f.did)
			}
		})
	}
}

// A step that fails shows its output, and there is no image.
func TestFromImageFails(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"s": "false"})
	broken := errors.New("the guest is gone")
	for name, tt := range map[string]struct {
		f    fake
		want string
	}{
		"script":  {fake{status: map[string]int{"/.banger-build/s": 3}, says: map[string]string{"build/s": "no such host\n"}}, "it ended with status 3"},
		"apt":     {fake{status: map[string]int{"apt-get": 100}, says: map[string]string{"update": "no such host\n"}}, "update the lists of packages: it ended with status 100"},
		"dpkg":    {fake{status: map[string]int{"dpkg-query": 2}}, "list the packages: it ended with status 2"},
		"root":    {fake{root: func(io.Writer) error { return broken }}, broken.Error()},
		"no root": {fake{root: func(io.Writer) error { return nil }}, `make image "new"`},
	} {
		t.Run(name, func(t *testing.T) {
			b, out := newBuilder(t)
			if name != "apt" && name != "dpkg" {
				tt.f.packages = dpkg(imagemgr.DebianBasePackages...)
			}
			_, err := b.FromImage(t.Context(), &tt.f, Options{Base: base, Name: "new", Script: dir + "/s"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if tt.f.says != nil && out.String() != "no such host\n" {
				t.Errorf("shows %q", out)
			}
			if images, err := b.Images.List(); len(images) > 0 || err != nil {
				t.Errorf("left behind: %v, %v", images, err)
			}
		})
	}
}

// What cannot be written any more is not read either.
func TestFromImageStopsReading(t *testing.T) {
	b, _ := newBuilder(t)
	f := &fake{packages: dpkg(imagemgr.DebianBasePackages...), root: func(w io.Writer) error {
		for {
			if _, err := w.Write(bytes.Repeat([]byte("no tar"), 1<<16)); err != nil {
				return err
			}
		}
	}}
	if _, err := b.FromImage(t.Context(), f, Options{Base: base, Name: "new"}); err == nil {
		t.Error("what is no tar became an image")
	}
}

func TestExisting(t *testing.T) {
	b, _ := newBuilder(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"s": "true", "tree/a": "a"})
	o := Options{Base: base, Name: "new", Packages: []string{"x", "y"}, Script: dir + "/s", Copies: []Copy{{dir + "/tree", "/t"}}}
	if i, err := b.Existing(o); i != nil || err != nil {
		t.Errorf("before the build: %v, %v", i, err)
	}
	if _, err := b.FromImage(t.Context(), &fake{}, o); err != nil {
		t.Fatal(err)
	}
	same := o
	same.Packages = []string{"y", "x", "x", "git"}
	if i, err := b.Existing(same); i == nil || err != nil {
		t.Errorf("the same in another order: %v, %v", i, err)
	}
	var other *OtherInputsError
	for name, change := range map[string]func(*Options){
		"base":    func(o *Options) { o.Base.Digest = "sha256:01" },
		"package": func(o *Options) { o.Packages = []string{"x"} },
		"target":  func(o *Options) { o.Copies = []Copy{{dir + "/tree", "/u"}} },
		"script":  func(*Options) { write(t, dir, map[string]string{"s": "false"}) },
		"content": func(*Options) { write(t, dir, map[string]string{"s": "true", "tree/a": "b"}) },
		"name":    func(*Options) { write(t, dir, map[string]string{"tree/a": "a", "tree/b": ""}) },
	} {
		changed := o
		change(&changed)
		if _, err := b.Existing(changed); !errors.As(err, &other) {
			t.Errorf("another %s: %v", name, err)
		}
		write(t, dir, map[string]string{"s": "true", "tree/a": "a"})
		os.Remove(filepath.Join(dir, "tree/b"))
	}
	o.Script = dir + "/absent"
	if _, err := b.Existing(o); !os.IsNotExist(err) {
		t.Errorf("no script: %v", err)
	}
}

func TestParseCopy(t *testing.T) {
	for text, want := range map[string]Copy{"a:/b": {"a", "/b"}, "a/:/b:c/": {"a/", "/b:c/"}} {
		if got, err := ParseCopy(text); got != want || err != nil {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "a:", ":/b", "a:b"} {
		if got, err := ParseCopy(text); err == nil {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

// A guest that never stops talking is not listened to for ever.
func TestEndlessAnswer(t *testing.T) {
	w := &worker{guest: &fake{packages: strings.Repeat("x", maxAnswer+1)}}
	if _, err := w.installed(t.Context()); err == nil || !strings.Contains(err.Error(), "printed more than 16 MiB") {
		t.Errorf("got %v", err)
	}
}
