package session

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

// FirstArgument makes the agent become the program that its other argument
// describes, as PID 1 of a PID namespace that it has been started in.
const FirstArgument = "first"

// first is a program that is to be PID 1. Its arguments need not be UTF-8.
type first struct {
	Path   []byte
	Args   [][]byte
	UID    uint32
	GID    uint32
	Groups []uint32
}

// asFirst makes cmd PID 1 of a PID namespace of its own. Only its /proc differs: the rest
// of the machine is the same to the program as to all others.
func asFirst(cmd *exec.Cmd) error {
	f := first{Path: []byte(cmd.Path)}
	for _, arg := range cmd.Args {
		f.Args = append(f.Args, []byte(arg))
	}
	if c := cmd.SysProcAttr.Credential; c != nil {
		f.UID, f.GID, f.Groups = c.Uid, c.Gid, c.Groups
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	cmd.Path, cmd.Args = "/proc/self/exe", []string{"banger-agent", FirstArgument, string(text)}
	cmd.SysProcAttr.Credential = nil // the program's, after its /proc is mounted
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS
	return nil
}

// BecomeFirst becomes the program, and returns an exit status where it cannot.
func BecomeFirst(text string) int {
	var f first
	err := json.Unmarshal([]byte(text), &f)
	if err == nil {
		err = f.become()
	}
	fmt.Fprintf(os.Stderr, "banger: exec: %q: %v\n", f.Path, err)
	if errors.Is(err, fs.ErrNotExist) {
		return agentapi.ExitNotFound
	}
	return agentapi.ExitNotExecutable
}

func (f first) become() error {
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keep mounts apart: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// Containers want to pass mounts on.
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("share /: %w", err)
	}
	groups := make([]int, len(f.Groups))
	for i, g := range f.Groups {
		groups[i] = int(g)
	}
	if err := errors.Join(unix.Setgroups(groups), unix.Setgid(int(f.GID)), unix.Setuid(int(f.UID))); err != nil {
		return fmt.Errorf("become the user: %w", err)
	}
	args := make([]string, len(f.Args))
	for i, arg := range f.Args {
		args[i] = string(arg)
	}
	return unix.Exec(string(f.Path), args, os.Environ())
}

// heeds reports whether a process handles, or ignores by its own will, a signal
// that would end others: the kernel keeps all such signals from a PID 1 that
// does not handle them.
func heeds(pid int, sig unix.Signal) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != "SigIgn" && name != "SigCgt" {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err == nil && mask>>(sig-1)&1 == 1 {
			return true
		}
	}
	return false
}
