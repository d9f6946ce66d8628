package vmmtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/format/cpio"
	"banger/internal/format/modules"
	"banger/internal/process"
)

// buildInitrd packs the guest program and the modules that it loads.
func buildInitrd(t *testing.T, env Env) string {
	t.Helper()
	dir := t.TempDir()
	program := env.Guest
	if program == "" {
		program = filepath.Join(dir, "init")
		buildGuest(t, program)
	}
	var packed bytes.Buffer
	archive := cpio.NewWriter(&packed)
	archive.Directory("modules", 0o755)
	archive.Directory("dev", 0o755)
	pack(t, archive, "init", 0o755, program)
	for i, m := range bootModules(t, env) {
		pack(t, archive, fmt.Sprintf("modules/%03d-%s.ko", i, m.Name), 0o644, filepath.Join(env.Modules, m.Path))
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(dir, "initrd")
	if err := os.WriteFile(initrd, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return initrd
}

func buildGuest(t *testing.T, to string) {
	t.Helper()
	err := process.Run(t.Context(), process.Cmd{
		Args: []string{"go", "build", "-o", to, "banger/internal/vmm/vmmtest/testdata/guest"},
		Env:  append(os.Environ(), "CGO_ENABLED=0"),
	})
	if err != nil {
		t.Fatalf("build the guest: %v", err)
	}
}

func bootModules(t *testing.T, env Env) []modules.Module {
	t.Helper()
	if env.Modules == "" {
		return nil
	}
	boot, err := modules.Boot(env.Modules)
	if err != nil {
		t.Fatal(err)
	}
	return boot
}

// pack adds the host's file path under the given name.
func pack(t *testing.T, archive *cpio.Writer, name string, perm uint32, path string) {
	t.Helper()
	data := readFile(t, path)
	archive.File(name, perm, int64(len(data)), bytes.NewReader(data))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
