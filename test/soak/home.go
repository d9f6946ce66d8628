package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience bounds a banger command, and is what the slowest machine needs: where there
// is no KVM and others are busy, a boot takes minutes.
const patience = 15 * time.Minute

// home is a user's home directory, which banger keeps its state in.
type home struct {
	dir    string
	banger string
	inputs string // a directory with what is imported
}

// newHome makes a home in dir, or in a directory of its own where that is "".
func (s *soak) newHome(dir string) (*home, func(), error) {
	top, err := os.MkdirTemp("", "banger-soak-")
	if err != nil {
		return nil, nil, err
	}
	if dir == "" {
		dir = filepath.Join(top, "home")
	}
	h := &home{dir: dir, banger: s.banger, inputs: filepath.Join(top, "inputs")}
	err = errors.Join(os.MkdirAll(dir, 0o700), os.Mkdir(h.inputs, 0o700))
	if err == nil {
		err = makeInputs(h.inputs)
	}
	if err == nil {
		s.packages, err = makeArchive(h.inputs)
	}
	if err == nil {
		_, err = h.must("kernel", "import", base, "--from", "vmlinux-1", "--distro", "soak")
	}
	if err == nil {
		err = s.serve(h.inputs)
	}
	if err != nil {
		os.RemoveAll(top)
		return nil, nil, err
	}
	return h, func() { os.RemoveAll(top) }, nil
}

func (h *home) state(elem ...string) string {
	return filepath.Join(append([]string{h.dir, ".local/state/banger"}, elem...)...)
}

// command is a call of banger, as the one user of this home. It is killed with
// ctx, and alone.
func (h *home) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.banger, args...)
	cmd.Dir = h.inputs
	cmd.Env = []string{"HOME=" + h.dir, "PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "LANG=C.UTF-8", "BANGER_CPUS=1", "BANGER_WARM=false", "APT_CONFIG=" + filepath.Join(h.inputs, aptConfig)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	return cmd
}

// result is what a call of banger left.
type result struct {
	args   []string
	code   int // -1 where a signal ended it
	stdout string
	stderr string
}

func (r result) String() string {
	return fmt.Sprintf("banger %s: exit %d: %s", strings.Join(r.args, " "), r.code, strings.TrimSpace(r.stderr))
}

// run runs a command to its end.
func (h *home) run(args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return await(ctx, h.command(ctx, args...), args)
}

// await runs cmd; that it fails is no error, that it hangs is one.
func await(ctx context.Context, cmd *exec.Cmd, args []string) (result, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{args, -1, stdout.String(), stderr.String()}
	if cmd.ProcessState != nil {
		r.code = cmd.ProcessState.ExitCode()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return r, fmt.Errorf("it did not end: %s", r)
	}
	if err != nil && !errors.As(err, new(*exec.ExitError)) && !errors.Is(err, exec.ErrWaitDelay) {
		return r, err
	}
	return r, r.sane()
}

// sane is an error where banger broke, rather than did not do what it was told.
func (r result) sane() error {
	switch {
	case strings.Contains(r.stderr, "panic:"), strings.Contains(r.stderr, "goroutine "), strings.Contains(r.stderr, "SIGSEGV"):
		return fmt.Errorf("it crashed: %s", r)
	case r.code == 125 && !strings.Contains(r.stderr, "banger: "):
		return fmt.Errorf("it does not say why it failed: %s", r)
	}
	return nil
}

// must is run for what has to succeed.
func (h *home) must(args ...string) (string, error) {
	r, err := h.run(args...)
	if err == nil && r.code != 0 {
		err = errors.New(r.String())
	}
	return r.stdout, err
}
