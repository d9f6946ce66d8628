package boot

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestSwapHeader(t *testing.T) {
	mkswap, err := exec.LookPath("mkswap")
	if err != nil {
		t.Skip(err)
	}
	const size = 40 << 20
	file := filepath.Join(t.TempDir(), "swap")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkswap, "--pagesize", "4096", "--uuid", "00000000-0000-0000-0000-000000000000", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if header := swapHeader(4096, size); !bytes.Equal(header, made[:4096]) {
		t.Error("the header is not mkswap's")
	}
}
