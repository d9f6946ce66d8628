package kernel

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"banger/internal/process"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// AptOptions says which package to pull.
type AptOptions struct {
	Package string
	Name    string       // "" is <distro>-<major.minor>
	Dir     string       // where apt keeps its lists and downloads
	Say     func(string) // told what is being done
}

// PullApt takes a kernel from a package of the host's distribution, which the
// host's apt downloads and checks. The package is not installed.
func (s *Store) PullApt(ctx context.Context, o AptOptions) (Kernel, error) {
	if o.Name != "" {
		if err := s.checkNew(o.Name); err != nil {
			return Kernel{}, err
		}
	}
	var k Kernel
	err := withApt(ctx, o.Dir, o.Say, func(a apt) (err error) {
		k, err = s.pullPackage(ctx, a, o)
		return err
	})
	if err != nil {
		return Kernel{}, fmt.Errorf("pull apt:%s: %w", o.Package, err)
	}
	return k, nil
}

func (s *Store) pullPackage(ctx context.Context, a apt, o AptOptions) (Kernel, error) {
	if err := a.update(ctx); err != nil {
		return Kernel{}, err
	}
	pkg, control, err := a.resolve(ctx, o.Package)
	if err != nil {
		return Kernel{}, err
	}
	m := Manifest{Name: o.Name, Distro: hostDistro(), Arch: Arch, KernelVersion: releaseIn(pkg), Source: "apt:" + o.Package}
	if m.Name == "" {
		if m.Name, err = defaultName(m); err != nil {
			return Kernel{}, err
		}
	}
	if err := s.checkNew(m.Name); err != nil {
		return Kernel{}, err
	}
	stage, err := s.tree.Stage()
	if err != nil {
		return Kernel{}, err
	}
	defer stage.Discard()
	for _, part := range []string{pkg, control.dependency("linux-modules-")} {
		if part == "" {
			continue
		}
		deb, err := a.download(ctx, part)
		if err != nil {
			return Kernel{}, err
		}
		defer os.Remove(deb) // unpacked, or of no use
		a.say("unpacking " + part)
		if err := unpackDeb(ctx, deb, stage); err != nil {
			return Kernel{}, fmt.Errorf("unpack %s: %w", part, err)
		}
	}
	return s.adopt(ctx, stage, m)
}

// releaseIn takes the kernel's release out of a package's name, such as
// linux-image-6.1.0-56-cloud-amd64.
func releaseIn(pkg string) string {
	for _, prefix := range []string{"linux-image-unsigned-", "linux-image-"} {
		if release, ok := strings.CutPrefix(pkg, prefix); ok {
			return strings.TrimSuffix(release, "-unsigned")
		}
	}
	return ""
}

var majorMinor = regexp.MustCompile(`^[0-9]+\.[0-9]+`)

func defaultName(m Manifest) (string, error) {
	version := majorMinor.FindString(m.KernelVersion)
	if version == "" {
		return "", fmt.Errorf("the package's name does not tell the kernel's version: give the kernel a name by --name")
	}
	name := m.Distro + "-" + version
	return name, ref.CheckName("kernel", name)
}

// hostDistro is the distribution that the host's apt serves.
func hostDistro() string {
	data, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(data)) {
		if id, ok := strings.CutPrefix(line, "ID="); ok {
			return strings.Trim(strings.TrimSpace(id), `"'`)
		}
	}
	return "linux"
}

// unpackDeb takes the kernel and its modules out of a package.
func unpackDeb(ctx context.Context, deb string, stage *statedir.Stage) error {
	r, w := io.Pipe()
	defer r.Close()
	extracted := make(chan error, 1)
	go func() {
		err := process.Run(ctx, process.Cmd{Args: []string{"dpkg-deb", "--fsys-tarfile", deb}, Stdout: w})
		w.CloseWithError(err)
		extracted <- err
	}()
	err := takeKernel(tar.NewReader(r), stage)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	r.CloseWithError(io.ErrClosedPipe)
	if processErr := <-extracted; err == nil || ctx.Err() != nil {
		err = processErr
	}
	return err
}

// inPackage matches what a package holds of a kernel: its image, and the
// modules below /lib/modules/<release>/.
var inPackage = regexp.MustCompile(`^(?:boot/(vmlinuz)-[^/]+|(?:usr/)?lib/modules/[^/]+/(.+))$`)

func takeKernel(archive *tar.Reader, stage *statedir.Stage) error {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		part := inPackage.FindStringSubmatch(path.Clean(header.Name))
		if part == nil || header.Typeflag != tar.TypeReg {
			continue
		}
		if err := takeFile(stage, part[1] != "", part[2], archive); err != nil {
			return err
		}
	}
}

func takeFile(stage *statedir.Stage, isKernel bool, module string, content io.Reader) error {
	if !isKernel {
		if !filepath.IsLocal(module) {
			return fmt.Errorf("the package holds the unsafe name %q", module)
		}
		target := stage.Path(statedir.Modules, module)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return writeTo(target, content)
	}
	packed := stage.Path("vmlinuz")
	if err := writeTo(packed, content); err != nil {
		return err
	}
	defer os.Remove(packed)
	_, err := writeVmlinux(packed, stage.Path(statedir.Vmlinux))
	return err
}
