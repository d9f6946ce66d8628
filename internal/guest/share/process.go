package share

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"banger/internal/agentapi"
)

// Argument makes the agent carry the messages of directories.
const Argument = "share"

// work is what the service tells the process.
type work struct {
	Mounts []agentapi.Mount
	Secret []byte
}

// Start has directories of the host mounted by another process. It writes to report why
// that failed, if it did, and closes it. The process lives for as long as the file that
// is returned is open.
func Start(mounts []agentapi.Mount, secret []byte, report *os.File) (*os.File, error) {
	stdin, life, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	// As the service's, it is a name that systemd spares.
	_, err = syscall.ForkExec("/proc/self/exe", []string{"@banger-agent", Argument}, &syscall.ProcAttr{
		Files: []uintptr{stdin.Fd(), os.Stdout.Fd(), os.Stderr.Fd(), report.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err == nil {
		err = json.NewEncoder(life).Encode(work{mounts, secret})
	}
	if err != nil {
		life.Close()
		return nil, err
	}
	return life, nil
}

// reportFD is where Main finds what Start was given.
const reportFD = 3

// Main is the process. It ends with the service, and by no signal before: others may
// still be writing.
func Main() error {
	signal.Notify(make(chan os.Signal, 1))
	lines := json.NewDecoder(os.Stdin)
	var w work
	if err := lines.Decode(&w); err != nil {
		return err
	}
	// A thread that comes back from the kernel is not to wait for another's turn to end.
	runtime.GOMAXPROCS(3*len(w.Mounts) + 2)
	report := os.NewFile(reportFD, "PID 1")
	if err := mountAll(w.Mounts, w.Secret); err != nil {
		io.WriteString(report, err.Error())
	}
	report.Close()
	io.Copy(io.Discard, os.Stdin)
	return nil
}
