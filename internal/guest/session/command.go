package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"banger/internal/agentapi"
	"banger/internal/guest/account"
	"banger/internal/guest/login"

	"golang.org/x/sys/unix"
)

// fallbackShell is for users whose own shell is not there.
const fallbackShell = "/bin/sh"

// Exec runs what the request asks for.
func (s *Session) Exec(request agentapi.Exec) Program {
	return s.program(func() {
		if request.WaitInit {
			if err := s.all.config.WaitInit(s.ctx); err != nil {
				s.fail(agentapi.ExitNotExecutable, err)
				return
			}
		}
		s.within = s.all.config.Logins.Join(s.ctx, s.login.UID, s.waitsForLogin(request))
		cmd, err := s.commandOf(request)
		if err != nil {
			s.failExec(err)
			return
		}
		s.first = request.First
		s.run(cmd)
	})
}

// Agent runs this program again, with an argument: a process has a user's rights,
// a part of one has not.
func (s *Session) Agent(argument string) Program {
	return s.program(func() {
		cmd := s.command(s.login, []string{"banger-agent", argument}, homeOf(s.login), nil)
		cmd.Path = "/proc/self/exe"
		s.run(cmd)
	})
}

// waitsForLogin tells what a program waits for to run in a session of its user's.
// The superuser needs one least, and is not to wait to mend what does not boot.
func (s *Session) waitsForLogin(request agentapi.Exec) login.Wait {
	switch {
	case s.login.UID != 0:
		return login.ForBoot
	case s.window != nil || request.WaitInit:
		return login.WhenUp
	}
	return login.NotAtAll
}

func (s *Session) commandOf(request agentapi.Exec) (cmd *exec.Cmd, err error) {
	dir := inHome(s.login, request.Dir)
	if request.MakeDir {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := checkDir(dir); err != nil {
		return nil, fmt.Errorf("directory %q: %w", dir, err)
	}
	cmd = s.command(s.login, request.Argv, dir, request.Env)
	if len(request.Argv) > 0 {
		cmd.Path, err = lookPath(request.Argv[0], cmd.Env, dir)
		return cmd, err
	}
	if cmd.Path, err = shellOf(s.login); err != nil {
		return nil, err
	}
	cmd.Args = []string{"-" + filepath.Base(cmd.Path)}
	if request.Line != "" {
		cmd.Args = []string{cmd.Path, "-c", request.Line}
	}
	return cmd, nil
}

func shellOf(user account.Account) (string, error) {
	if path, err := lookPath(user.Shell, nil, "/"); err == nil {
		return path, nil
	}
	return lookPath(fallbackShell, nil, "/")
}

// command is argv as run by user. Its Path is for the caller to set.
func (s *Session) command(user account.Account, argv []string, dir string, env []string) *exec.Cmd {
	cmd := &exec.Cmd{Args: argv, Dir: dir, SysProcAttr: &syscall.SysProcAttr{}}
	cmd.Env = slices.Concat(loginEnv(user), s.within.Env(), s.termEnv(), s.guestEnv(), s.env, env)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID, Groups: user.Groups}
	}
	return cmd
}

// loginEnv is what login(1) sets.
func loginEnv(user account.Account) []string {
	path := "/usr/local/bin:/usr/bin:/bin"
	if user.UID == 0 {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	return []string{
		"HOME=" + user.Home, "USER=" + user.Name, "LOGNAME=" + user.Name, "SHELL=" + user.Shell, "PATH=" + path,
	}
}

func (s *Session) guestEnv() []string {
	if s.all.config.Env == nil {
		return nil
	}
	return s.all.config.Env()
}

func (s *Session) termEnv() []string {
	if s.window == nil || s.window.Term == "" {
		return nil
	}
	return []string{"TERM=" + s.window.Term}
}

// homeOf is where user's programs start.
func homeOf(user account.Account) string {
	if isDir(user.Home) {
		return user.Home
	}
	return "/"
}

// inHome is what dir is to user's programs.
func inHome(user account.Account, dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(homeOf(user), dir)
}

func isDir(path string) bool { return checkDir(path) == nil }

func checkDir(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil, isAbsent(err):
		return errNotFound
	}
	return errors.Unwrap(err)
}

// errNotFound says it as shells do.
var errNotFound = errors.New("not found")

// isAbsent tells that there is no file from that it could not be looked for.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

// lookPath finds the program name for a process with environment env in dir.
func lookPath(name string, env []string, dir string) (string, error) {
	dirs := []string{dir}
	if !strings.Contains(name, "/") {
		dirs = filepath.SplitList(lastValue(env, "PATH"))
	}
	found := errNotFound
	for _, d := range dirs {
		path := filepath.Join(d, name)
		if filepath.IsAbs(name) {
			path = name
		} else if !filepath.IsAbs(d) {
			path = filepath.Join(dir, d, name)
		}
		info, err := os.Stat(path)
		if err != nil {
			if !isAbsent(err) {
				found = errors.Unwrap(err) // without the path
			}
			continue
		}
		if info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
		found = os.ErrPermission
	}
	return "", fmt.Errorf("%q: %w", name, found)
}

// lastValue returns what key is set to in env, where a later entry wins.
func lastValue(env []string, key string) string {
	for _, entry := range slices.Backward(env) {
		if k, value, _ := strings.Cut(entry, "="); k == key {
			return value
		}
	}
	return ""
}
