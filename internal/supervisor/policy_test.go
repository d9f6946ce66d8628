package supervisor

import (
	"os"
	"path/filepath"
	"testing"
)

// The guest decides how much is written to the log.
func TestTrafficLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := openTrafficLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	line := make([]byte, 1<<10)
	for range 5 * maxTrafficLog / len(line) {
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 2*maxTrafficLog {
		t.Errorf("the log is %d bytes, %v", info.Size(), err)
	}
}
