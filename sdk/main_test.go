package sdk_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain makes a home with the tests' kernel and image, and skips what boots
// guests where there are none.
func TestMain(m *testing.M) {
	flag.Parse()
	fixtures, banger := os.Getenv("BANGER_TEST_HOME"), os.Getenv("BANGER_TEST_BIN")
	if fixtures == "" || banger == "" {
		fmt.Println("examples need BANGER_TEST_BIN and BANGER_TEST_HOME: run make test")
		flag.Set("test.skip", "^(Example|TestGuest)")
		os.Exit(m.Run())
	}
	home, err := os.MkdirTemp("", "sdk")
	if err == nil {
		err = prepare(home, fixtures)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for name, value := range map[string]string{"HOME": home, "BANGER_BIN": banger, "BANGER_IMAGE": "debian"} {
		os.Setenv(name, value)
	}
	for _, name := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} {
		os.Unsetenv(name)
	}
	status := m.Run()
	if left, _ := filepath.Glob(filepath.Join(home, ".local/state/banger/vms/*")); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "left behind:", left)
		status = 1
	}
	os.RemoveAll(home)
	os.Exit(status)
}

func prepare(home, fixtures string) error {
	for _, kind := range []string{"kernels", "images"} {
		to := filepath.Join(home, ".local/state/banger", kind)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		from := filepath.Join(fixtures, ".local/state/banger", kind, "debian")
		if err := exec.Command("cp", "-a", "--link", from, to).Run(); err != nil {
			return err
		}
	}
	return nil
}
