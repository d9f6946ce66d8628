package share

import (
	"cmp"
	"encoding/json"
	"errors"
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

// mounted is what the process says when all is; anything else is why not.
const mounted = "mounted"

// Start has directories of the host mounted by another process, and returns when they
// are. The process lives for as long as the file that is returned is open.
func Start(mounts []agentapi.Mount, secret []byte) (*os.File, error) {
	said, report, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer said.Close()
	life, err := start(work{mounts, secret}, report)
	report.Close()
	if err != nil {
		return nil, err
	}
	word, err := io.ReadAll(said)
	if err == nil && string(word) == mounted {
		return life, nil
	}
	life.Close()
	if err == nil {
		err = errors.New(cmp.Or(string(word), "the process that mounts the host's directories has ended"))
	}
	return nil, err
}

func start(w work, report *os.File) (*os.File, error) {
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
		err = json.NewEncoder(life).Encode(w)
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
	report := os.NewFile(reportFD, "the service")
	word := mounted
	if err := mountAll(w.Mounts, w.Secret); err != nil {
		word = err.Error()
	}
	io.WriteString(report, word)
	report.Close()
	io.Copy(io.Discard, os.Stdin)
	return nil
}
