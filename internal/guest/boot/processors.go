package boot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

// processors is where the kernel shows them.
const processors = "/sys/devices/system/cpu"

// startProcessors starts those below dir that the kernel was told to leave
// alone.
func startProcessors(dir string) error {
	switches, err := filepath.Glob(filepath.Join(dir, "cpu[0-9]*", "online"))
	for _, path := range switches {
		err = errors.Join(err, switchOn(path))
	}
	return err
}

func switchOn(path string) error {
	state, err := os.ReadFile(path)
	if err != nil || bytes.HasPrefix(state, []byte("1")) {
		return err
	}
	return os.WriteFile(path, []byte("1"), 0)
}
