package vmmtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/modules"
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
	var archive bytes.Buffer
	pack(&archive, "modules", 0o040755, nil)
	pack(&archive, "dev", 0o040755, nil)
	pack(&archive, "init", 0o100755, readFile(t, program))
	for i, m := range bootModules(t, env) {
		name := fmt.Sprintf("modules/%03d-%s.ko", i, m.Name)
		pack(&archive, name, 0o100644, readFile(t, filepath.Join(env.Modules, m.Path)))
	}
	pack(&archive, "TRAILER!!!", 0, nil)
	initrd := filepath.Join(dir, "initrd")
	if err := os.WriteFile(initrd, archive.Bytes(), 0o600); err != nil {
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

// pack appends an entry to a cpio of the "newc" kind.
func pack(archive *bytes.Buffer, name string, mode uint32, content []byte) {
	fmt.Fprintf(archive, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		archive.Len()+1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	align(archive)
	archive.Write(content)
	align(archive)
}

func align(archive *bytes.Buffer) {
	for archive.Len()%4 != 0 {
		archive.WriteByte(0)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
