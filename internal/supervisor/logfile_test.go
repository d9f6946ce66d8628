package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/statedir"
)

// Logs of boots before are kept, as many as are promised.
func TestLogFileKeepsEarlierBoots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := logFile{path: path, limit: 1 << 10}
	defer l.Close()
	for boot := range statedir.KeptLogs + 3 {
		if err := l.begin(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&l, "boot %d\n", boot)
	}
	last := statedir.KeptLogs + 2
	for n := range statedir.KeptLogs + 1 {
		got, err := os.ReadFile(statedir.EarlierLog(path, n))
		if want := fmt.Sprintf("boot %d\n", last-n); err != nil || string(got) != want {
			t.Errorf("%d boots before: %q, %v", n, got, err)
		}
		if _, err := os.Stat(statedir.LogTimes(statedir.EarlierLog(path, n))); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(statedir.EarlierLog(path, statedir.KeptLogs+1)); err == nil {
		t.Error("more logs are kept than promised")
	}
}

// A log's times stay those of its lines when its older half goes.
func TestLogFileTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := logFile{path: path, limit: 1 << 10}
	defer l.Close()
	if err := l.begin(); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		l.noted = time.Time{} // time for another one
		fmt.Fprintf(&l, "line %026d\n", i)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	times, err := os.ReadFile(statedir.LogTimes(path))
	if err != nil || len(times) == 0 {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(times)) {
		var offset int
		fmt.Sscan(line, &offset)
		if offset >= len(text) || !strings.HasPrefix(string(text[offset:]), "line ") {
			t.Errorf("offset %d is no line's in %d bytes", offset, len(text))
		}
	}
	if got := strings.Count(string(times), "\n"); got > len(text)/32+1 {
		t.Errorf("%d times for %d bytes", got, len(text))
	}
}

// A guest that writes a byte at a time has no more noted than one that writes lines.
func TestLogFileTimesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := logFile{path: path, limit: 1 << 20}
	defer l.Close()
	if err := l.begin(); err != nil {
		t.Fatal(err)
	}
	for range 3 * maxNotes {
		l.noted = time.Time{} // time for another one
		l.Write([]byte("."))
	}
	times, err := os.ReadFile(statedir.LogTimes(path))
	if got := strings.Count(string(times), "\n"); err != nil || got > maxNotes || got < maxNotes/2 {
		t.Errorf("%d times, %v", got, err)
	}
	last := -1
	for line := range strings.Lines(string(times)) {
		var offset int
		if fmt.Sscan(line, &offset); offset <= last {
			t.Fatalf("%d follows %d", offset, last)
		}
		last = offset
	}
}

// A full disk does not stall the guest.
func TestLogFileOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("needs /dev/full")
	}
	l := logFile{path: filepath.Join(t.TempDir(), "log"), limit: 1 << 10}
	defer l.Close()
	if err := l.begin(); err != nil {
		t.Fatal(err)
	}
	l.times.Close()
	l.times = full
	if n, err := l.Write([]byte("text\n")); n != 5 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}
