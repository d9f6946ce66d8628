package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/agent"
	"banger/internal/agentapi"
	"banger/internal/imagemgr"
)

// scriptDir is where scripts are put. No init mounts something over it or clears it
// up, as some do with /tmp, and none forbids to execute what is in it, as sysvinit and
// OpenRC do with /run. It is removed after.
const scriptDir = "/.banger-build"

// worker does a build's steps in its guest.
type worker struct {
	guest  Guest
	output io.Writer
	say    func(string)
}

// PackagesError says that a base is none whose packages banger can install.
type PackagesError struct{ Base, Distro string }

func (e *PackagesError) Error() string {
	distro := e.Distro
	if distro == "" {
		distro = "an unknown distribution"
	}
	return fmt.Sprintf("image %q is of %s: packages can be installed on Debian and Ubuntu only", e.Base, distro)
}

// CheckPackages fails where the base is known to be none that packages can be
// installed on, and some are asked for.
func (o Options) CheckPackages() error {
	if len(o.Packages) > 0 && o.Base.Distro != "" && !hasApt(o.Base.Distro) {
		return &PackagesError{o.Base.Name, o.Base.Distro}
	}
	return nil
}

func hasApt(distro string) bool { return distro == "debian" || distro == "ubuntu" }

// install installs what the base lacks of the packages. A base of another
// distribution gets none.
func (w *worker) install(ctx context.Context, o Options) error {
	distro := o.Base.Distro
	if distro == "" {
		distro = w.distro(ctx)
	}
	if !hasApt(distro) {
		if len(o.Packages) > 0 {
			return &PackagesError{o.Base.Name, distro}
		}
		return nil
	}
	there, err := w.installed(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range wanted(o) {
		if !slices.ContainsFunc(there, func(p imagemgr.Package) bool { return p.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	w.say("installing " + strings.Join(missing, " "))
	if err := w.run(ctx, "update the lists of packages", apt("update")); err != nil {
		return err
	}
	return w.run(ctx, "install packages", apt(append([]string{"install", "--yes", "--no-install-recommends"}, missing...)...))
}

// wanted are the packages of a build, sorted.
func wanted(o Options) []string {
	all := slices.Concat(imagemgr.DebianBasePackages, o.Packages)
	slices.Sort(all)
	return slices.Compact(all)
}

// apt is a call of apt-get that asks nothing. The VM does not survive a power
// cut in any case, so that dpkg need not flush each file.
func apt(args ...string) agentapi.Exec {
	options := []string{"apt-get", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120",
		"-o", "Dpkg::Options::=--force-unsafe-io", "-o", "Dpkg::Options::=--force-confold", "-o", "Acquire::Retries=3"}
	return agentapi.Exec{Argv: append(options, args...), Env: []string{"DEBIAN_FRONTEND=noninteractive"}, Dir: "/"}
}

// installed lists the packages that are there; nil where the image has no
// dpkg.
func (w *worker) installed(ctx context.Context) ([]imagemgr.Package, error) {
	out, status, err := w.ask(ctx, "dpkg-query", "-W", `-f=${db:Status-Status}\t${Package}\t${Version}\n`)
	switch {
	case err != nil:
		return nil, err
	case status == agentapi.ExitNotFound:
		return nil, nil
	case status != 0:
		return nil, &StepError{"list the packages", status}
	}
	return parsePackages(out), nil
}

// parsePackages reads what dpkg-query prints: a status, a name and a version a
// line. Of a package for several architectures it keeps one.
func parsePackages(out string) []imagemgr.Package {
	var all []imagemgr.Package
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) == 3 && fields[0] == "installed" {
			all = append(all, imagemgr.Package{Name: fields[1], Version: fields[2]})
		}
	}
	slices.SortFunc(all, func(a, b imagemgr.Package) int {
		return strings.Compare(a.Name+"\x00"+a.Version, b.Name+"\x00"+b.Version)
	})
	return slices.Compact(all)
}

// distro asks the guest what distribution it is; "" is an unknown one.
func (w *worker) distro(ctx context.Context) string {
	out, status, err := w.ask(ctx, "cat", "/etc/os-release")
	if err != nil || status != 0 {
		return ""
	}
	for line := range strings.Lines(out) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "ID="); ok {
			return strings.Trim(id, `"'`)
		}
	}
	return ""
}

// settle waits for the guest's init, which clears directories up while it boots.
func (w *worker) settle(ctx context.Context) error {
	_, _, err := w.ask(ctx, "true")
	return err
}

func (w *worker) copy(ctx context.Context, c Copy) error {
	w.say(fmt.Sprintf("copying %s to %s", c.Source, c.Target))
	names, err := c.names()
	if err != nil {
		return err
	}
	if names == nil {
		return w.guest.CopyFile(ctx, c.Source, c.target())
	}
	return w.guest.CopyDir(ctx, c.Source, names, c.target())
}

// runScript runs a program of the host's in the guest. A text without #! is
// the shell's.
func (w *worker) runScript(ctx context.Context, file string) error {
	w.say("running " + file)
	target := scriptDir + "/" + filepath.Base(file)
	if err := w.guest.CopyFile(ctx, file, target); err != nil {
		return err
	}
	run := agentapi.Exec{Argv: []string{"sh", "-c", `chmod 755 "$1" && "$1"; status=$?; rm -rf "${1%/*}"; exit $status`, "sh", target}, Dir: "/"}
	return w.run(ctx, "run "+file, run)
}

// run runs a program and shows what it prints.
func (w *worker) run(ctx context.Context, step string, program agentapi.Exec) error {
	program.WaitInit = true
	status, err := w.guest.Run(ctx, agent.Program{Exec: program}, agent.Streams{Stdout: w.output, Stderr: w.output})
	if err == nil && status != 0 {
		err = &StepError{step, status}
	}
	if err != nil && !errors.As(err, new(*StepError)) {
		err = fmt.Errorf("%s: %w", step, err)
	}
	return err
}

// ask runs a program for what it prints.
func (w *worker) ask(ctx context.Context, argv ...string) (string, int, error) {
	var out answer
	program := agent.Program{Exec: agentapi.Exec{Argv: argv, Dir: "/", WaitInit: true}}
	status, err := w.guest.Run(ctx, program, agent.Streams{Stdout: &out, Stderr: io.Discard})
	if err != nil {
		err = fmt.Errorf("run %s: %w", argv[0], err)
	}
	return out.text.String(), status, err
}

// maxAnswer is above what a list of all of Debian's packages takes.
const maxAnswer = 16 << 20

// answer is what a program prints, as far as there is an end to it.
type answer struct{ text strings.Builder }

func (a *answer) Write(p []byte) (int, error) {
	if a.text.Len()+len(p) > maxAnswer {
		return 0, fmt.Errorf("it printed more than %d MiB", maxAnswer>>20)
	}
	return a.text.Write(p)
}
