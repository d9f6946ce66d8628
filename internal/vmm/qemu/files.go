package qemu

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"

	"banger/internal/vmm"
)

// notePVH is the ELF note with the entry point that QEMU uses:
// XEN_ELFNOTE_PHYS32_ENTRY of Xen's public/elfnote.h.
const notePVH = 18

// maxNote is the longest name or content of a note that is believed, in bytes.
const maxNote = 1 << 16

// checkFiles says which of a VM's files QEMU could not use: its own words are
// for those who know its options.
func checkFiles(cfg vmm.Config) error {
	if err := cfg.CheckFiles(); err != nil {
		return err
	}
	return checkEntry(cfg.Kernel)
}

// checkEntry says whether QEMU can start a kernel.
func checkEntry(path string) error {
	image, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("open the kernel: %w", err)
	}
	defer image.Close()
	for _, segment := range image.Progs {
		if segment.Type == elf.PT_NOTE && hasNote(segment.Open(), "Xen", notePVH) {
			return nil
		}
	}
	return fmt.Errorf("kernel %s has no PVH entry point (CONFIG_PVH), which QEMU needs", path)
}

// hasNote looks for a note among an ELF file's notes: each has the sizes of
// its name and its contents, its type, and then both, padded to 4 bytes.
func hasNote(notes io.Reader, name string, kind uint32) bool {
	for {
		var head struct{ NameSize, Size, Kind uint32 }
		if binary.Read(notes, binary.LittleEndian, &head) != nil || head.NameSize > maxNote || head.Size > maxNote {
			return false
		}
		body := make([]byte, (head.NameSize+3)&^3+(head.Size+3)&^3)
		if _, err := io.ReadFull(notes, body); err != nil {
			return false
		}
		if head.Kind == kind && string(body[:head.NameSize]) == name+"\x00" {
			return true
		}
	}
}
