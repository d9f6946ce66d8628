package qemu

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/process"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

// TestBackend is the suite on real guests.
func TestBackend(t *testing.T) {
	env := vmmtest.FromEnvironment(t)
	b := New(Options{})
	_, err := b.Probe(t.Context())
	if missing := new(process.NotFoundError); errors.As(err, &missing) {
		t.Skip("needs " + missing.Program)
	}
	vmmtest.Run(t, b, env)
}

func TestProbe(t *testing.T) {
	info, err := New(Options{Binary: fakeQEMU(t, `echo "QEMU emulator version 9.2.0 (Fancy 1:9.2)"; echo Copyright`)}).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Version != "9.2.0" || info.Backend != Name || (info.Accel == vmm.KVM) != (info.Why == "") {
		t.Errorf("Probe = %+v", info)
	}
	if _, err := New(Options{Binary: fakeQEMU(t, "echo its library is missing >&2; exit 127")}).Probe(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "its library is missing") {
		t.Errorf("Probe = %v, want what the program says", err)
	}
}

func TestMissingQEMU(t *testing.T) {
	b := New(Options{Binary: "/nonexistent/qemu"})
	_, probeErr := b.Probe(t.Context())
	_, startErr := b.Start(t.Context(), configFor(t), nil)
	for _, err := range []error{probeErr, startErr} {
		if missing := new(process.NotFoundError); !errors.As(err, &missing) || missing.Program != "/nonexistent/qemu" {
			t.Errorf("the error is %v, want a NotFoundError", err)
		}
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]string{
		"QEMU emulator version 7.2.22 (Debian 1:7.2)\nCopyright": "7.2.22",
		"QEMU emulator version 10.0.0\nCopyright":                "10.0.0",
		"QEMU emulator version ":                                 "unknown",
		"something else":                                         "unknown",
		"":                                                       "unknown",
	} {
		if got := version(text); got != want {
			t.Errorf("version(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestEnds(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		want   string // of the ExitError, "" for none
	}{
		"guest":      {"echo hello; exit 0", ""},
		"complaint":  {"echo a warning >&2; exit 0", ""},
		"failure":    {"echo first >&2; echo qemu-system-x86_64: -m: no memory >&2; exit 1", "qemu ended with exit status 1: -m: no memory"},
		"no newline": {"printf 'first\nlast' >&2; exit 2", "qemu ended with exit status 2: last"},
		"silence":    {"exit 3", "qemu ended with exit status 3"},
		"crash":      {"kill -SEGV $$", "qemu ended with signal: segmentation fault"},
		"terminated": {"echo qemu-system-x86_64: terminating on signal 15 from pid 7 >&2; exit 0",
			"qemu ended with exit status 0: terminating on signal 15 from pid 7"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := New(Options{Binary: fakeQEMU(t, test.script)}).Start(t.Context(), configFor(t), discard{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := m.Wait(); err != nil {
				exit := new(vmm.ExitError)
				if !errors.As(err, &exit) {
					t.Errorf("Wait = %T", err)
				}
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("Wait = %q, want %q", got, test.want)
			}
		})
	}
}

// TestSurroundings checks what QEMU is given besides its arguments.
func TestSurroundings(t *testing.T) {
	t.Setenv("SECRET", "1")
	var console bytes.Buffer
	cfg := configFor(t)
	cfg.Console = &console
	m, err := New(Options{Binary: fakeQEMU(t, "readlink /proc/$$/fd/0 /proc/$$/fd/3; env")}).Start(t.Context(), cfg, discard{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := console.String(); !strings.HasPrefix(got, "/dev/null\nsocket:") || strings.Contains(got, "SECRET") {
		t.Errorf("QEMU has %s", got)
	}
}

func TestCheckFiles(t *testing.T) {
	for name, test := range map[string]struct {
		image []byte
		want  string
	}{
		"with the note":     {kernelImage(elf.EM_X86_64, note("Linux", 5, "1234"), note("Xen", notePVH, "entry!!!")), ""},
		"without the note":  {kernelImage(elf.EM_X86_64, note("Xen", 17, "entry")), "CONFIG_PVH"},
		"the note of other": {kernelImage(elf.EM_X86_64, note("Xem", notePVH, "entry")), "CONFIG_PVH"},
		"a note cut short":  {kernelImage(elf.EM_X86_64, note("Xen", notePVH, "entry")[:14]), "CONFIG_PVH"},
		"a huge note":       {kernelImage(elf.EM_X86_64, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\x12\x00\x00\x00Xen\x00")), "CONFIG_PVH"},
		"another processor": {kernelImage(elf.EM_AARCH64, note("Xen", notePVH, "entry")), "not an uncompressed x86-64 kernel"},
		"a bzImage":         {append(make([]byte, 514), "HdrS"...), "not an uncompressed x86-64 kernel"},
		"nothing":           {nil, "not an uncompressed x86-64 kernel"},
	} {
		path := filepath.Join(t.TempDir(), "vmlinux")
		if err := os.WriteFile(path, test.image, 0o600); err != nil {
			t.Fatal(err)
		}
		initrd := filepath.Join(t.TempDir(), "initrd")
		if err := os.WriteFile(initrd, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		err := checkFiles(vmm.Config{Kernel: path, Initrd: initrd})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: checkFiles = %v, want %q", name, err, test.want)
		}
	}
}

// fakeQEMU makes a program of a shell script.
func fakeQEMU(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func configFor(t *testing.T) vmm.Config {
	t.Helper()
	dir := t.TempDir()
	kernel, initrd := filepath.Join(dir, "vmlinux"), filepath.Join(dir, "initrd")
	if err := os.WriteFile(kernel, kernelImage(elf.EM_X86_64, note("Xen", notePVH, "entry")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(initrd, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return vmm.Config{Name: "test", Kernel: kernel, Initrd: initrd, CPUs: 1, MemoryMiB: 64}
}

// kernelImage is an ELF executable with nothing but notes.
func kernelImage(machine elf.Machine, notes ...[]byte) []byte {
	const headerSize, programSize = 64, 56
	all := bytes.Join(notes, nil)
	var image bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1,
		Phoff: headerSize, Ehsize: headerSize, Phentsize: programSize, Phnum: 1,
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	binary.Write(&image, binary.LittleEndian, header)
	binary.Write(&image, binary.LittleEndian, elf.Prog64{
		Type: uint32(elf.PT_NOTE), Off: headerSize + programSize, Filesz: uint64(len(all)), Memsz: uint64(len(all)),
	})
	image.Write(all)
	return image.Bytes()
}

func note(name string, kind uint32, content string) []byte {
	var n bytes.Buffer
	binary.Write(&n, binary.LittleEndian, []uint32{uint32(len(name) + 1), uint32(len(content)), kind})
	for _, text := range []string{name + "\x00", content} {
		n.WriteString(text)
		for n.Len()%4 != 0 {
			n.WriteByte(0)
		}
	}
	return n.Bytes()
}

// discard is a network that nobody answers on.
type discard struct{}

func (discard) ServeStream(_ context.Context, conn net.Conn) error {
	defer conn.Close()
	_, err := conn.Read(make([]byte, 1))
	return err
}

func (discard) ServePackets(context.Context, io.ReadWriteCloser) error { return errors.ErrUnsupported }
