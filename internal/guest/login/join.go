package login

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Env is what pam_systemd sets of variables.
func (s *Session) Env() []string {
	if s == nil {
		return nil
	}
	env := []string{"XDG_SESSION_ID=" + s.ID, "XDG_SESSION_CLASS=" + class, "XDG_SESSION_TYPE=" + kind}
	if s.RuntimeDir == "" {
		return env
	}
	env = append(env, "XDG_RUNTIME_DIR="+s.RuntimeDir)
	if bus := filepath.Join(s.RuntimeDir, "bus"); isSocket(bus) {
		env = append(env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+bus)
	}
	return env
}

// Start starts what cmd describes in the session, or without where that has just
// ended. It returns what it has started.
func (s *Session) Start(cmd *exec.Cmd) (*exec.Cmd, error) {
	if s == nil || s.group == nil {
		return cmd, cmd.Start()
	}
	within := &exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Stdin: cmd.Stdin, Stdout: cmd.Stdout, Stderr: cmd.Stderr}
	attr := *cmd.SysProcAttr
	attr.UseCgroupFD, attr.CgroupFD = true, int(s.group.Fd())
	within.SysProcAttr = &attr
	if within.Start() != nil {
		return cmd, cmd.Start()
	}
	runtime.KeepAlive(s)
	return within, nil
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0
}
