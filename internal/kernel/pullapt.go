package kernel

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"banger/internal/pattern"
	"banger/internal/ref"
	"banger/internal/size"
	"banger/internal/statedir"
)

// AptOptions says which package to pull.
type AptOptions struct {
	Package string
	Name    string       // "" is <distro>-<major.minor>
	Dir     string       // where apt keeps its lists
	Say     func(string) // told what is being done, a line at a time
}

// PullApt takes a kernel from a package of the host's distribution, which the
// host's apt downloads and checks. The package is not installed. The error is
// statedir.ErrExist where the name is taken.
func (s *Store) PullApt(ctx context.Context, o AptOptions) (Kernel, error) {
	if o.Name != "" {
		if err := s.checkNew(o.Name); err != nil {
			return Kernel{}, err
		}
	}
	var k Kernel
	err := withApt(ctx, o.Dir, o.Say, func(a *apt) (err error) {
		k, err = s.pullPackage(ctx, a, o)
		return err
	})
	if err != nil {
		return Kernel{}, fmt.Errorf("pull apt:%s: %w", o.Package, err)
	}
	return k, nil
}

func (s *Store) pullPackage(ctx context.Context, a *apt, o AptOptions) (Kernel, error) {
	if err := a.update(ctx); err != nil {
		return Kernel{}, err
	}
	pkg, control, err := a.resolve(ctx, o.Package)
	if err != nil {
		return Kernel{}, err
	}
	m := Manifest{Name: o.Name, Distro: hostDistro(), Arch: Arch, Source: "apt:" + o.Package}
	if m.Name == "" {
		if m.Name, err = defaultName(m.Distro, pkg, control); err != nil {
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
	if err := a.fill(ctx, stage, pkg, control); err != nil {
		return Kernel{}, err
	}
	a.say("indexing and packing the modules")
	return s.Adopt(ctx, stage, m)
}

// parts are what the names begin with of packages that hold parts of a kernel,
// where its own does not hold all: Ubuntu's modules, and in Debian from 14 on
// everything.
var parts = []string{"linux-binary-", "linux-base-", "linux-modules-"}

// fill puts what a package and its parts hold of a kernel into the stage.
func (a *apt) fill(ctx context.Context, stage *statedir.Stage, pkg string, control fields) error {
	packages := []string{pkg}
	for _, prefix := range parts {
		if part := control.dependency(prefix); part != "" {
			packages = append(packages, part)
		}
	}
	for _, part := range packages {
		if err := a.take(ctx, stage, part); err != nil {
			return err
		}
	}
	if _, err := os.Stat(stage.Path(statedir.Vmlinux)); err != nil {
		return fmt.Errorf("there is no kernel in %s", strings.Join(packages, ", "))
	}
	return nil
}

func (a *apt) take(ctx context.Context, stage *statedir.Stage, pkg string) error {
	about, err := a.show(ctx, pkg)
	if err != nil {
		return err
	}
	bytes, _ := strconv.ParseInt(about["Size"], 10, 64)
	a.say(fmt.Sprintf("downloading %s %s (%s)", pkg, about["Version"], size.Size(bytes)))
	deb, err := a.download(ctx, pkg)
	if err != nil {
		return err
	}
	a.say("unpacking " + pkg)
	if err := unpackDeb(ctx, deb, stage); err != nil {
		return fmt.Errorf("unpack %s: %w", pkg, err)
	}
	return nil
}

var majorMinor = pattern.New(`^[0-9]+\.[0-9]+`)

// defaultName takes the version from the name of a package, such as
// linux-image-6.1.0-56-cloud-amd64, or else from the package's version.
func defaultName(distro, pkg string, control fields) (string, error) {
	release := strings.TrimPrefix(strings.TrimPrefix(pkg, "linux-image-"), "unsigned-")
	for _, version := range []string{release, control["Version"]} {
		if found := majorMinor().FindString(version); found != "" {
			name := distro + "-" + found
			return name, ref.CheckName("kernel", name)
		}
	}
	return "", fmt.Errorf("package %s tells no version of a kernel: give the kernel a name by --name", pkg)
}

// DefaultPackage is the host's distribution's kernel for virtual machines.
func DefaultPackage() string {
	if hostDistro() == "ubuntu" {
		return "linux-image-virtual"
	}
	return "linux-image-cloud-amd64"
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
