package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/pattern"
	"banger/internal/process"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// apt is the host's apt with a state of its own, so that it needs no root and
// does not mind the host's stale lists. Its archives and trusted keys are the
// host's.
type apt struct {
	dir   string
	debs  *statedir.Stage // what is being unpacked
	say   func(string)
	fault string // what kept lists from being updated, or ""
}

// Files and directories below the apt directory.
const (
	aptConf     = "apt.conf"
	aptLists    = "state/lists"
	aptStatus   = "state/status" // what is installed: nothing
	aptArchives = "cache/archives"
)

// aptConfig undoes what the host's configuration asks for and is not for us:
// hooks, which may clean up the host's caches, and lists other than those of
// packages.
const aptConfig = `#clear APT::Update;
#clear APT::Architectures;
APT::Architectures { "amd64"; };
APT::Architecture "amd64";
#clear Acquire::IndexTargets;
Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
  Optional "no";
};
`

// withApt calls f with an apt that no other banger uses meanwhile.
func withApt(ctx context.Context, dir string, say func(string), f func(*apt) error) error {
	a := &apt{dir: dir, say: say}
	if err := a.prepare(); err != nil {
		return fmt.Errorf("prepare apt: %w", err)
	}
	lock, err := statedir.WaitLock(ctx, a.path(statedir.LockFile))
	if err != nil {
		return err
	}
	defer lock.Release()
	if a.debs, err = (statedir.Tree{Kind: "package", Dir: dir}).Stage(); err != nil {
		return err
	}
	defer a.debs.Discard()
	return f(a)
}

func (a *apt) path(name string) string { return filepath.Join(a.dir, name) }

// prepare makes the directories that apt wants, and its configuration.
func (a *apt) prepare() error {
	for _, dir := range []string{aptLists + "/partial", aptArchives + "/partial"} {
		if err := os.MkdirAll(a.path(dir), 0o700); err != nil {
			return err
		}
	}
	// Not written anew: apt would take its caches for stale.
	status, err := os.OpenFile(a.path(aptStatus), os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	status.Close()
	return statedir.WriteFile(a.path(aptConf), []byte(aptConfig))
}

// command is a call of one of apt's programs.
func (a *apt) command(program string, args ...string) process.Cmd {
	all := []string{program, "-qq", "-c", a.path(aptConf)}
	for _, option := range []string{
		"Dir::State=" + a.path("state"),
		"Dir::State::lists=" + a.path(aptLists),
		"Dir::State::status=" + a.path(aptStatus),
		"Dir::Cache=" + a.path("cache"),
		"Dir::Cache::archives=" + a.path(aptArchives),
		"Dir::Cache::pkgcache=pkgcache.bin",
		"Dir::Cache::srcpkgcache=",
		"Dir::Log=" + a.path("log"),
		"Acquire::Languages=none",
		"APT::Sandbox::User=",
	} {
		all = append(all, "-o", option)
	}
	return process.Cmd{Args: append(all, args...), Env: append(os.Environ(), "LC_ALL=C")}
}

// query returns what apt-cache prints.
func (a *apt) query(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := a.command("apt-cache", args...)
	cmd.Stdout = &out
	err := process.Run(ctx, cmd)
	return out.String(), err
}

// update gets the lists of packages. Some archive of the host's being out of
// reach does not matter as long as the package is found.
func (a *apt) update(ctx context.Context) error {
	a.say("updating the lists of packages")
	var complaints bytes.Buffer
	cmd := a.command("apt-get", "update")
	cmd.Stderr = &complaints
	err := process.Run(ctx, cmd)
	if err != nil && !errors.As(err, new(*process.Error)) {
		return err
	}
	for line := range strings.Lines(complaints.String()) {
		kind, text, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || kind != "W" && kind != "E" {
			continue
		}
		a.say("apt: " + text)
		if a.fault == "" {
			a.fault = text
		}
	}
	return nil
}

// fields are the control fields of a package's newest version.
type fields map[string]string

func (a *apt) show(ctx context.Context, pkg string) (fields, error) {
	out, err := a.query(ctx, "show", "--no-all-versions", pkg)
	if errors.As(err, new(*process.Error)) || err == nil && out == "" {
		return nil, a.unknown(ctx, pkg)
	}
	if err != nil {
		return nil, err
	}
	f := fields{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, " ") {
			f[key] = strings.TrimSpace(value)
		}
	}
	return f, nil
}

// unknown is the error for a package that the lists do not have.
func (a *apt) unknown(ctx context.Context, pkg string) error {
	known, err := a.query(ctx, "pkgnames", "linux-image-")
	if err != nil {
		return err
	}
	text := fmt.Sprintf("apt knows no package %q", pkg)
	if near := ref.Nearest(pkg, strings.Fields(known)); near != "" {
		text += fmt.Sprintf(", the nearest is %q", near)
	}
	if a.fault != "" {
		text += ", and could not update all its lists: " + a.fault
	}
	return errors.New(text)
}

// dependency returns the package among those that f depends on whose name
// begins with prefix, or "".
func (f fields) dependency(prefix string) string {
	for part := range strings.SplitSeq(f["Depends"], ",") {
		name := strings.FieldsFunc(part, func(c rune) bool { return c == ' ' || c == ':' || c == '|' })
		if len(name) > 0 && strings.HasPrefix(name[0], prefix) {
			return name[0]
		}
	}
	return ""
}

var packageName = pattern.New(`^[a-z0-9][a-z0-9+.-]+$`)

// resolve follows metapackages to the one that is a kernel's.
func (a *apt) resolve(ctx context.Context, pkg string) (string, fields, error) {
	if !packageName().MatchString(pkg) {
		return "", nil, fmt.Errorf("%q is no name of a package", pkg)
	}
	for range 4 { // linux-virtual -> linux-image-virtual -> linux-image-6.8.0-1-generic
		f, err := a.show(ctx, pkg)
		if err != nil {
			return "", nil, err
		}
		next := f.dependency("linux-image-")
		if next == "" {
			return pkg, f, nil
		}
		pkg = next
	}
	return "", nil, fmt.Errorf("package %q leads to no kernel", pkg)
}

// download gets a package, which apt checks, and returns its file.
func (a *apt) download(ctx context.Context, pkg string) (string, error) {
	dir := a.debs.Path("debs")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	cmd := a.command("apt-get", "download", pkg)
	cmd.Dir = dir
	if err := process.Run(ctx, cmd); err != nil {
		return "", fmt.Errorf("download package %s: %w", pkg, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("download package %s: apt left no file", pkg)
	}
	return files[0], nil
}
