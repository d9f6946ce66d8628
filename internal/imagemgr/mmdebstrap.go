package imagemgr

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"banger/internal/pattern"
	"banger/internal/process"
)

// bootPackages is what a Debian image has beyond its essential packages.
var bootPackages = []string{
	"systemd-sysv",    // an init
	"udev",            // device nodes and their owners, for what the user installs
	"dbus",            // systemctl and hostnamectl speak through it
	"iproute2",        // ip and ss, to look at a network that the guest's agent sets up
	"procps",          // ps, top and sysctl, which people expect
	"kmod",            // modprobe, for what the user installs
	"ca-certificates", // without it nothing is fetched by https
}

// debianMirror names the archive that mmdebstrap uses in place of its default.
const debianMirror = "BANGER_DEBIAN_MIRROR"

var (
	suiteName   = pattern.New(`^[a-z][a-z0-9.-]*$`)
	packageName = pattern.New(`^[a-z0-9][a-z0-9+.-]+$`)
)

// openMmdebstrap runs mmdebstrap to make a root filesystem, SUITE[+PACKAGE,...], from the
// distribution's archive, as the user who runs banger.
func openMmdebstrap(ctx context.Context, o PullOptions) (*source, error) {
	args, err := mmdebstrapArgs(o.Source.Rest, os.Geteuid() == 0, os.Getenv(debianMirror))
	if err != nil {
		return nil, err
	}
	if _, err := process.LookPath(args[0]); err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out := &output{File: read}
	src := tarSource(ctx, out, newMeter(o.Progress, "read", 0), o.Limits)
	consume := src.entries
	src.entries = func(yield func(*tar.Header, io.Reader) error) error {
		defer write.Close()
		said := &messages{progress: o.Progress}
		c := process.Cmd{Args: args, Stdout: write, Stderr: said, CleansUp: true}
		err := beside(ctx, c, write, out, func() error { return consume(yield) })
		if _, failed := errors.AsType[*process.Error](err); failed && said.fault != "" {
			return fmt.Errorf("mmdebstrap: %s", said.fault)
		}
		return err
	}
	return src, nil
}

// output is what a program prints.
type output struct {
	*os.File
	ended atomic.Bool // it was read to its end
}

func (o *output) Read(p []byte) (int, error) {
	n, err := o.File.Read(p)
	if errors.Is(err, io.EOF) {
		o.ended.Store(true)
	}
	return n, err
}

// beside runs a program while consume reads its output from the other end of a
// pipe. Where the output ended too early, the program's error says why.
func beside(ctx context.Context, c process.Cmd, pipe *os.File, out *output, consume func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan error, 1)
	go func() {
		err := process.Run(ctx, c)
		pipe.Close()
		ran <- err
	}()
	consumed := consume()
	if consumed != nil && !out.ended.Load() {
		stop()
		<-ran
		return consumed
	}
	if err := <-ran; err != nil {
		return err
	}
	return consumed
}

// messages is what mmdebstrap says: its steps, and the first error, which the
// later ones only follow from.
type messages struct {
	progress Progress
	line     []byte
	fault    string
}

func (m *messages) Write(p []byte) (int, error) {
	m.line = append(m.line, p...)
	for {
		line, rest, whole := bytes.Cut(m.line, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		m.hear(strings.TrimSpace(string(line)))
		m.line = rest
	}
}

func (m *messages) hear(line string) {
	if step, ok := strings.CutPrefix(line, "I: "); ok && m.progress != nil {
		m.progress(strings.TrimRight(step, "."), 0, 0)
	}
	fault, failed := strings.CutPrefix(line, "E: ")
	switch {
	case m.fault != "":
	case strings.HasSuffix(line, "No space left on device"):
		m.fault = "no space left on device"
	case failed && strings.Contains(fault, "subuid"):
		m.fault = "this user has no range in /etc/subuid and /etc/subgid: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 gives one"
	case failed:
		m.fault = fault
	}
}

// mmdebstrapArgs is the command line for a suite and further packages.
func mmdebstrapArgs(spec string, root bool, mirror string) ([]string, error) {
	suite, list, more := strings.Cut(spec, "+")
	if !suiteName().MatchString(suite) {
		return nil, fmt.Errorf("%q is no name of a suite", suite)
	}
	packages := slices.Clone(bootPackages)
	if more {
		for name := range strings.SplitSeq(list, ",") {
			if !packageName().MatchString(name) {
				return nil, fmt.Errorf("%q is no name of a package", name)
			}
			packages = append(packages, name)
		}
	}
	mode := "unshare"
	if root {
		mode = "root"
	}
	args := []string{"mmdebstrap", "--mode=" + mode, "--format=tar", "--variant=minbase",
		"--include=" + strings.Join(packages, ","), suite, "-"}
	if mirror != "" {
		args = append(args, mirror)
	}
	return args, nil
}
