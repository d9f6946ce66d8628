package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"banger/internal/process"
	"banger/internal/statedir"
)

// apt is the host's apt with a state of its own, so that it needs no root and
// does not mind the host's stale lists. Its trusted keys are the host's.
type apt struct {
	dir string
	say func(string)
}

// options are those of every call.
func (a apt) options() []string {
	set := map[string]string{
		"Dir::State":             a.dir + "/state",
		"Dir::State::lists":      a.dir + "/state/lists",
		"Dir::State::status":     a.dir + "/state/status",
		"Dir::Cache":             a.dir + "/cache",
		"Dir::Cache::archives":   a.dir + "/cache/archives",
		"Dir::Log":               a.dir + "/log",
		"Acquire::Languages":     "none",
		"APT::Sandbox::User":     "",
		"APT::Get::List-Cleanup": "false",
	}
	var options []string
	for key, value := range set {
		options = append(options, "-o", key+"="+value)
	}
	return options
}

// prepare makes the directories that apt wants, and an empty list of what is
// installed.
func (a apt) prepare() error {
	for _, dir := range []string{"state/lists/partial", "cache/archives/partial", "log", "debs"} {
		if err := os.MkdirAll(filepath.Join(a.dir, dir), 0o700); err != nil {
			return fmt.Errorf("prepare apt: %w", err)
		}
	}
	f, err := os.OpenFile(filepath.Join(a.dir, "state/status"), os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("prepare apt: %w", err)
	}
	return f.Close()
}

// update gets the lists of packages. Some archive of the host's being out of
// reach does not matter as long as the package is found.
func (a apt) update(ctx context.Context) error {
	a.say("updating the lists of packages")
	err := process.Run(ctx, process.Cmd{Args: append(append([]string{"apt-get"}, a.options()...), "-qq", "update")})
	var fault *process.Error
	if errors.As(err, &fault) {
		a.say("apt: " + fault.Stderr)
		return nil
	}
	return err
}

// fields are the control fields of a package's newest version.
type fields map[string]string

func (a apt) show(ctx context.Context, pkg string) (fields, error) {
	args := append(append([]string{"apt-cache"}, a.options()...), "show", "--no-all-versions", pkg)
	out, err := process.Output(ctx, args...)
	var fault *process.Error
	if errors.As(err, &fault) || err == nil && len(out) == 0 {
		return nil, fmt.Errorf("apt knows no package %q", pkg)
	}
	if err != nil {
		return nil, err
	}
	f := fields{}
	for line := range strings.Lines(string(out)) {
		if key, value, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, " ") {
			f[key] = strings.TrimSpace(value)
		}
	}
	return f, nil
}

// dependency returns the package among those that f depends on whose name
// begins with prefix, or "".
func (f fields) dependency(prefix string) string {
	for part := range strings.SplitSeq(f["Depends"], ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		if strings.HasPrefix(name, prefix) {
			return name
		}
	}
	return ""
}

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// resolve follows metapackages to the one that holds a kernel.
func (a apt) resolve(ctx context.Context, pkg string) (string, fields, error) {
	if !packageName.MatchString(pkg) {
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

// download gets a package and returns its file.
func (a apt) download(ctx context.Context, pkg string) (string, error) {
	a.say("downloading " + pkg)
	dir := filepath.Join(a.dir, "debs")
	args := append(append([]string{"apt-get"}, a.options()...), "-qq", "download", pkg)
	if err := process.Run(ctx, process.Cmd{Args: args, Dir: dir}); err != nil {
		return "", fmt.Errorf("download package %s: %w", pkg, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, pkg+"_*.deb"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("download package %s: %w", pkg, fs.ErrNotExist)
	}
	return files[len(files)-1], nil
}

// withApt calls f with an apt that no other banger uses meanwhile.
func withApt(ctx context.Context, dir string, say func(string), f func(apt) error) error {
	a := apt{dir: dir, say: say}
	if err := a.prepare(); err != nil {
		return err
	}
	lock, err := statedir.WaitLock(ctx, filepath.Join(dir, statedir.LockFile))
	if err != nil {
		return err
	}
	defer lock.Release()
	return f(a)
}
