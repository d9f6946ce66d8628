// Package service is the agent beside the image's init: it opens the link to the
// supervisor, serves the streams of that and SSH, and obeys the supervisor's orders.
//
// PID 1 starts it before the init, as a process of its own that no init knows.
package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/guest/console"
	"banger/internal/guest/initsys"
	"banger/internal/guest/login"
	"banger/internal/guest/reach"
	"banger/internal/guest/restored"
	"banger/internal/guest/roottar"
	"banger/internal/guest/session"
	"banger/internal/guest/share"
	"banger/internal/guest/sshd"
	"banger/internal/guest/trust"

	"golang.org/x/sys/unix"
)

// Argument makes the agent run as the service.
const Argument = "serve"

// searchPath is for the image's own programs; the kernel gives its first
// process none.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// runDir is for sockets of sessions.
const runDir = "/run/banger"

// openFiles is how many files programs may have open, and how many they may ask
// for: what systemd and container engines give, where the kernel's own is 4096.
var openFiles = syscall.Rlimit{Cur: 1024, Max: 1 << 20}

// Config is what PID 1 tells the service.
type Config struct {
	Settings agentapi.Settings
	Init     initsys.Init
	Warnings []string // for the supervisor
}

// Process is the service as PID 1 sees it.
type Process struct {
	PID    int
	config *os.File
	said   *os.File // why what the guest needs before its init is not there
}

// Start starts the service, which waits for its configuration: it is worth
// having its program loaded while PID 1 looks for the root.
func Start() (*Process, error) {
	stdin, config, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	said, report, err := os.Pipe()
	if err != nil {
		config.Close()
		return nil, err
	}
	defer report.Close()
	// Go's own start raised it for this process, and would take that back below.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &openFiles); err != nil {
		console.Log("warning: allow more open files: %v", err)
	}
	// systemd spares what has an @ here when it kills everything else, so that
	// the host sees the guest's end and not the service's.
	argv := []string{"@banger-agent", Argument}
	pid, err := syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{
		Files: []uintptr{stdin.Fd(), os.Stdout.Fd(), os.Stderr.Fd(), report.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		config.Close()
		said.Close()
		return nil, err
	}
	return &Process{PID: pid, config: config, said: said}, nil
}

// Configure has the service follow the caller, PID 1, into its root directory
// and serve there.
// It returns when all is there that is to be before the init.
func (p *Process) Configure(c Config) error {
	defer p.said.Close()
	err := json.NewEncoder(p.config).Encode(c)
	p.config.Close()
	if err != nil || len(c.Settings.Mounts) == 0 {
		return err
	}
	word, err := io.ReadAll(p.said)
	if err == nil && string(word) != prepared {
		err = errors.New(cmp.Or(string(word), "the agent's service has ended"))
	}
	return err
}

// prepared is what the service says when all that the guest needs before its init is
// there; anything else is why not, and nothing that it died.
const prepared = "prepared"

// reportFD is where PID 1 hears of the service.
const reportFD = 3

// prepare makes what has to be there before the init and any program, and tells PID 1
// when it is. What it returns has to be kept open.
func prepare(c Config) (io.Closer, error) {
	unix.CloseOnExec(reportFD)
	report := os.NewFile(reportFD, "PID 1")
	defer report.Close()
	if len(c.Settings.Mounts) == 0 {
		return report, nil
	}
	life, err := share.Start(c.Settings.Mounts, link.Secret([]byte(c.Settings.HostKey)))
	if err != nil {
		io.WriteString(report, err.Error())
		return nil, err
	}
	_, err = io.WriteString(report, prepared)
	return life, err
}

// leastThreads is how many threads run Go at the least. With one alone, Go hands it
// to another thread in every call of the kernel's that takes more than 20 µs, as all
// do by emulation: unpacking many files takes twice the time then.
const leastThreads = 2

// Run serves until the machine ends. It returns only an error that leaves the
// guest out of reach.
func Run() error {
	var c Config
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return fmt.Errorf("read the service's configuration: %w", err)
	}
	if err := enterRoot(); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	life, err := prepare(c)
	if err != nil {
		return err
	}
	defer life.Close()
	os.Setenv("PATH", searchPath)
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), leastThreads))
	// The name that ps shows would be exe, after the path it was run by.
	os.WriteFile("/proc/self/comm", []byte("banger-agent"), 0)
	self := newSelf(c.Settings)
	c.Init.Booted = &initsys.Booted{}
	logins := &login.Logins{Await: c.Init.AwaitSystemd}
	sessions := session.New(session.Config{
		WaitInit:  c.Init.Wait,
		Rest:      func(ctx context.Context) (string, error) { return c.rest(ctx, logins) },
		WriteRoot: func(w io.Writer) error { return roottar.Write(w, self.settings()) },
		Env:       func() []string { return trust.Env("/", self.settings().Secrets) },
		Logins:    logins,
	})
	listener, err := listen(agentapi.SSHPort)
	if err != nil {
		return fmt.Errorf("listen for SSH: %w", err)
	}
	reachable, err := listen(agentapi.ReachPort)
	if err != nil {
		return fmt.Errorf("listen for the ports of the loopback: %w", err)
	}
	restorable, err := listen(agentapi.RestorePort)
	if err != nil {
		return fmt.Errorf("listen for a restore: %w", err)
	}
	go reach.Serve(reachable)
	go restored.Serve(restorable, self)
	go c.attend(sessions, self)
	go endLast(sessions)
	return fmt.Errorf("serve SSH: %w", sshd.Serve(listener, func() sshd.Config {
		is := self.settings()
		return sshd.Config{
			HostKey:       []byte(is.HostKey),
			AuthorizedKey: []byte(is.AuthorizedKey),
			Sessions:      sessions,
			RunDir:        runDir,
		}
	}))
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort(agentapi.GuestIP, strconv.Itoa(port)))
}

// endLast ends this process by SIGTERM, once the programs of all sessions have
// ended: until then somebody has to read what they write, or SIGPIPE would end
// them first. No other signal is for the service; PID 1 sends them to all.
func endLast(sessions *session.Sessions) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, unix.SIGTERM)
	signal.Notify(make(chan os.Signal, 1)) // all, to nobody
	<-term
	sessions.Shutdown()
	os.Exit(0)
}

// enterRoot makes PID 1's root this process's.
func enterRoot() error {
	if err := unix.Chroot("/proc/1/root"); err != nil {
		return err
	}
	return os.Chdir("/")
}
