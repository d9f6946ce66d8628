// Package kerneltest makes kernels for tests: files that pass for one. None of
// them boots.
package kerneltest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
)

// Vmlinux returns the least that passes for a kernel of a release: an ELF file
// with a segment to load, which has the banner.
func Vmlinux(release string) []byte {
	content := "Linux version %s\x00Linux version " + release + " (gcc) #1 " + strings.Repeat("code", 200)
	header := elf.Header64{
		Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1},
		Type:    uint16(elf.ET_EXEC),
		Machine: uint16(elf.EM_X86_64),
		Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 120, Filesz: uint64(len(content))}
	var b bytes.Buffer
	for _, part := range []any{header, load} {
		binary.Write(&b, binary.LittleEndian, part) // to memory, which does not fail
	}
	b.WriteString(content)
	return b.Bytes()
}
