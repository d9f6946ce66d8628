package vm

import (
	"bufio"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pidfd returns a file that becomes readable when the process has ended.
func pidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// awaitEnd waits for the end of a process, which may be a guest's that shuts down at its
// own pace.
func awaitEnd(t *testing.T, process *os.File) {
	t.Helper()
	defer process.Close()
	events := []unix.PollFd{{Fd: int32(process.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(events, int(patience.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			t.Fatalf("the process did not end: %v", err)
		}
		return
	}
}

// awaitText returns when a line with text came; the rest is read as well, so
// that the writer is never stopped.
func awaitText(t *testing.T, r io.Reader, text string) {
	t.Helper()
	lines := bufio.NewScanner(r)
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
		if strings.Contains(lines.Text(), text) {
			go io.Copy(io.Discard, r)
			return
		}
	}
	t.Fatalf("%q did not come: %q", text, all)
}

// awaitBytes reads until text has come.
func awaitBytes(t *testing.T, r io.Reader, text string) {
	t.Helper()
	var all []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(all), text) {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("%q did not come: %v: %q", text, err, all)
		}
		all = append(all, buf[:n]...)
	}
}
